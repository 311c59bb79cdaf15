import * as pulumi from "@pulumi/pulumi";
import { local } from "@pulumi/command";
import type { Desired } from "../plan/desired";
import { parseFacts } from "../plan/observed";
import type { Plan } from "../plan/plan";
import { SITE_IDS } from "../plan/terms";
import { viewOf, type ServerView } from "../sites/worldView";
import type { Dns } from "./dns/dns";

/** What an update looks at when its last step is done. */
export interface AfterwardsArgs {
  readonly wish: Desired;
  readonly plan: Plan;
  readonly dns: Dns;
  readonly steps: readonly pulumi.Resource[];
  readonly parent: pulumi.Resource;
  /** The pair is let go with this update. */
  readonly release: boolean;
}

/**
 * The look after every update, from everywhere: the API's list, every pinned server from here and from both sites, named
 * public resolvers. An old answer within its TTL is pending and no failure; a pivot that somebody wrote over is one, now
 * and once more when `watchSeconds` are over. Nothing is changed, and a preview does not look.
 */
export function afterwards(args: AfterwardsArgs): void {
  const last = args.steps.at(-1);
  if (pulumi.runtime.isDryRun() || last === undefined) return;
  // When the last step is answered, so is every other.
  pulumi.all([last.urn, siteFacts(args)]).apply(async ([, sites]) => {
    // The engine must not take the program for finished meanwhile.
    const done = pulumi.runtime.rpcKeepAlive();
    try {
      await lookAround(args, sites);
      if (args.release) await args.dns.unclaim();
    } finally {
      done();
    }
  });
}

function siteFacts({ plan, steps }: AfterwardsArgs): pulumi.Output<string> {
  const step = steps[plan.steps.findIndex(({ id }) => id === "outside")];
  return step instanceof local.Command ? step.stdout : pulumi.output("");
}

async function lookAround(args: AfterwardsArgs, facts: string): Promise<void> {
  const { wish, plan, dns, parent } = args;
  const written = plan.steps.filter(({ act, state }) => act.kind === "record" && state === "todo");
  const moved = written.some(({ phase }) => phase === "announce");
  const api = written.length > 0 ? await dns.hold(plan, "when the update was done") : "API listed";
  const [servers, resolvers] = await Promise.all(
    [wish.dns.servers, wish.dns.resolvers].map((list) =>
      Promise.all(list.map((server) => viewOf(wish, plan.to, server))),
    ),
  );
  const right = sum(servers ?? [], "right");
  await pulumi.log.info(
    [
      `seen: ${api ?? "API not asked (no token that the program can read)"}`,
      `here ${right}/${sum(servers ?? [], "of")} (${wish.dns.servers.length} servers)`,
      ...sitesTold(facts),
      ...(resolvers ?? []).map((view) => resolverTold(view, wish.dns.ttl)),
    ].join(", "),
    parent,
  );
  // Without anybody to ask there is nothing to wait for.
  if (moved && api !== undefined) await watch(args, wish.dns.watchSeconds ?? wish.dns.ttl);
}

async function watch({ wish, plan, dns, parent }: AfterwardsArgs, seconds: number): Promise<void> {
  await pulumi.log.info(
    `applied; resolvers that honour the TTL have moved within ${wish.dns.ttl} s from now. Everything is done; the pivot is looked at once more in ${seconds} s.`,
    parent,
  );
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const api = await dns.hold(plan, `${seconds} s after the update was done`);
  await pulumi.log.info(`seen again after ${seconds} s: ${api ?? "API not asked"}`, parent);
}

const sum = (views: readonly ServerView[], key: "right" | "of") =>
  views.reduce((total, view) => total + view[key], 0);

/** What the sites themselves counted, at every server they asked. */
function sitesTold(text: string): readonly string[] {
  const facts = parseFacts(text);
  return SITE_IDS.map((site) => {
    const of = facts[`of_${site}`];
    return `site ${site} ${of === undefined ? "not asked" : `${facts[`names_${site}`] ?? "?"}/${of}`}`;
  });
}

/** A cache may answer as before for one TTL: pending. One that promises to do so for longer is named. */
export function resolverTold(view: ServerView, ttl: number): string {
  const { server, right, of, old, oldSeconds, wrong } = view;
  const late =
    oldSeconds > ttl ? `longer than the TTL of ${ttl} s: it clamps or serves stale` : "pending";
  return [
    `${server} ${right}/${of}`,
    ...(old.length === 0 ? [] : [`(${old.length} old for at most ${oldSeconds} s, ${late})`]),
    ...(wrong.length === 0 ? [] : [`(${wrong.length} without an answer)`]),
  ].join(" ");
}
