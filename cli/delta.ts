import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseFacts } from "../plan/observed";
import { EXIT, SITE_IDS, type SiteId } from "../plan/terms";
import { sitesOf, visitSite, type SiteAccess, type Sites } from "./siteAccess";

/** `standby delta`: look at the writes that only a returned site holds, and apply them at the one that serves. */

export interface DeltaOptions {
  /** Output of `pulumi stack export`, a file; standard input by default. */
  readonly state: string;
  readonly pair?: string;
}

export interface ApplyOptions extends DeltaOptions {
  /** False: a dry run. The transaction is run and taken back. */
  readonly yes?: boolean;
  /** Where both sites wrote one row: skip it (default), or the old or the new primary's value stands. */
  readonly onConflict: string;
}

type Say = (line: string) => void;

/** Adds `delta show` and `delta apply`. */
export function deltaCommand(program: Command): void {
  const say: Say = (line) => process.stdout.write(`${line}\n`);
  const delta = program
    .command("delta")
    .description("the acknowledged writes that only a returned site holds");
  const state = ["--state <file>", "output of pulumi stack export", "/dev/stdin"] as const;
  const pair = ["--pair <name>", "the pair, where the program has several"] as const;
  delta
    .command("show")
    .description("what was exported: the summary, what must be done by hand, the first rows")
    .option(...state)
    .option(...pair)
    .action(async (given: DeltaOptions) => {
      process.exitCode = await showDelta(given, say);
    });
  delta
    .command("apply")
    .description("a dry run; with --yes one transaction at the site that serves")
    .option(...state)
    .option(...pair)
    .option("--yes", "commit")
    .option("--on-conflict <policy>", "skip, old or new: whose value stands", "skip")
    .action(async (given: ApplyOptions) => {
      process.exitCode = await applyDelta(given, say);
    });
}

interface Found {
  readonly sites: Sites;
  /** The site that serves, whichever holds the delta. */
  readonly target: SiteAccess | undefined;
  readonly holder: SiteAccess;
  readonly facts: Readonly<Record<string, string>>;
  /** Sites that could not be asked: whether they hold a newer one is not known. */
  readonly unasked: readonly SiteId[];
}

/** Seconds that a site has to tell what it holds, and to apply it. */
const ASK_SECONDS = 30;
const APPLY_SECONDS = 3600;

/** Shows the newest export. Resolves to the exit code: 75 when a site cannot be asked or none holds a delta. */
export async function showDelta(options: DeltaOptions, say: Say): Promise<number> {
  const found = await findDelta(options, say);
  if (found === undefined) return EXIT.later;
  const { holder, sites, facts, unasked } = found;
  const { code, stderr } = await visitSite(sites, {
    ...{ site: holder.site, verb: "postgres/delta", bound: ASK_SECONDS, input: { value: "show" } },
  });
  say(`site ${holder.site}: ${facts["delta_folder"] ?? ""}`);
  say(stderr.trimEnd());
  return code === 0 && unasked.length === 0 ? 0 : EXIT.later;
}

/** Applies it at the site that serves. Resolves to the exit code of the verb there; 75 where either site cannot be asked. */
export async function applyDelta(options: ApplyOptions, say: Say): Promise<number> {
  const { onConflict, yes } = options;
  if (!["skip", "old", "new"].includes(onConflict)) {
    say(`--on-conflict ${onConflict} is none of skip, old, new`);
    return 1;
  }
  const found = await findDelta(options, say);
  if (found === undefined || found.unasked.length > 0) return EXIT.later;
  const { sites, holder, facts, target } = found;
  if (target === undefined) {
    say("no site says that it is the primary");
    say("HINT: pulumi up first; a delta is applied at the site that serves.");
    return EXIT.later;
  }
  const { code, stdout, stderr } = await visitSite(sites, {
    ...{ site: target.site, verb: "postgres/apply", bound: APPLY_SECONDS },
    input: {
      value: yes === true ? "yes" : "dry",
      action: onConflict,
      token: facts["delta_sha256"] ?? "",
    },
    file: {
      ...{ from: holder.site, path: `${folderOf(holder, facts)}/delta.sql` },
      ...{ to: target.site, target: `${target.settings["state"] ?? ""}/incoming.sql` },
    },
  });
  if (stderr.trim() !== "") say(stderr.trimEnd());
  if (code === 0) {
    const done = parseFacts(stdout);
    const counts = ["inserted", "updated", "key_changed", "deleted", "overruled", "skipped", "same"]
      .map((key) => `${key.replace("_", " ")} ${done[key] ?? "?"}`)
      .join(", ");
    say(`site ${target.site}: ${yes === true ? "applied" : "dry run, nothing kept"}: ${counts}`);
    if (yes !== true) say("HINT: the same with --yes keeps it.");
  }
  return code ?? EXIT.later;
}

/** By its number alone: what a site says is no path at another. */
function folderOf({ settings }: SiteAccess, facts: Readonly<Record<string, string>>): string {
  return `${settings["state"] ?? ""}/delta/${Number(facts["delta_epoch"])}`;
}

async function findDelta(options: DeltaOptions, say: Say): Promise<Found | undefined> {
  const sites = sitesOf(readFileSync(options.state, "utf8"), options.pair);
  const asked = await Promise.all(
    SITE_IDS.map(async (site) => {
      const visit = {
        site,
        verb: "postgres/delta",
        bound: ASK_SECONDS,
        input: { value: "status" },
      };
      const { code, stdout, stderr } = await visitSite(sites, visit);
      return { holder: sites[site], facts: parseFacts(stdout), code, stderr };
    }),
  );
  const silent = asked.filter(({ code, facts }) => code !== 0 || facts["delta"] === undefined);
  for (const { holder, code, stderr } of silent) {
    say(`site ${holder.site}: cannot be asked (${code ?? "no answer in time"})`);
    if (stderr.trim() !== "") say(stderr.trimEnd());
  }
  const unasked = silent.map(({ holder }) => holder.site);
  const answers = asked.filter((one) => !silent.includes(one));
  const [newest] = answers
    .filter(({ facts }) => facts["delta"] !== "none")
    .sort((one, two) => Number(two.facts["delta_epoch"]) - Number(one.facts["delta_epoch"]));
  if (unasked.length > 0) {
    say(`whether site ${unasked.join(" or ")} holds a delta is not known`);
    say("HINT: restore the connection, then run this again.");
  }
  if (newest === undefined) {
    if (unasked.length === 0) {
      say("no site holds a delta");
      say("HINT: pulumi up exports one when a returned site has diverged.");
    }
    return undefined;
  }
  const target = answers.find(({ facts }) => facts["primary"] === "yes")?.holder;
  return { sites, target, holder: newest.holder, facts: newest.facts, unasked };
}
