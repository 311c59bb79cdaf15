import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import type { Desired } from "../plan/desired";
import { dnsTold, type DnsSurvey } from "../plan/dns/intent";
import type { Observed } from "../plan/observed";
import { hasTodo, plan as makePlan, type Plan } from "../plan/plan";
import { checklist } from "../plan/render/checklist";
import { preview, refusalText } from "../plan/render/preview";
import type { Scripts } from "../plan/scripts";
import { observePivots, observeWitness } from "../sites/nameServers";
import { observeSites } from "../sites/observe";
import { loadScripts } from "../sites/scripts";
import type { StandbyPairArgs } from "./args";
import { adopting } from "./adopting";
import { afterwards } from "./afterwards";
import { cloudflare } from "./dns/cloudflare";
import { existingRecords, type Existing } from "./dns/existing";
import { epochClaim } from "./epochClaim";
import { firstTime } from "./firstTime";
import { guarded } from "./guarded";
import { names } from "./names";
import { notNow, notObserved } from "./notNow";
import { released } from "./release";
import { Refusal } from "./refusal";
import { resolved } from "./resolved";
import { Runbook } from "./runbook";
import { runId, signed } from "./signed";
import { wishOf } from "./wish";

/** What the component knows once it has looked. */
export interface StandbyPairData {
  readonly plan: Plan;
}

/** Seconds that looking at both sites and at DNS may take before the update is refused. */
const LOOK_SECONDS = 60;

/**
 * An application on two unrelated hosting providers, one serving, one standing by. `activeSite` names the site that shall
 * serve: setting it to the other site and running `pulumi up` fails over, setting it back fails back.
 *
 * The program looks at both sites and at DNS first, makes one plan, and refuses with everything that is wrong before it
 * registers anything. Each step of the plan is a resource; killed anywhere, the next update is the rest.
 *
 * @example
 * new StandbyPair("shop", {
 *   activeSite: config.require("activeSite"),
 *   sites: {
 *     a: { provider: "hetzner", region: "fsn1", addresses: { v4: "192.0.2.10" }, transport: ssh({ host: "192.0.2.10", user: "root", hostKeys }) },
 *     b: { provider: "ovh", region: "gra", addresses: { v4: "198.51.100.20" }, transport: ssh({ host: "198.51.100.20", user: "root", hostKeys: others }) },
 *   },
 *   database: { postgres: { dataDirectory: "/var/lib/postgresql/15/main" } },
 *   dns: { cloudflare: { zones: [{ zone: "example.com", zoneId, hostnames: ["www.example.com"] }] } },
 *   witnessKey: config.requireSecret("witnessKey"),
 * });
 */
export class StandbyPair extends pulumi.ComponentResource<StandbyPairData> {
  /** The site that serves after this update. */
  declare public readonly activeSite: pulumi.Output<string>;
  /** Number of the newest transition. */
  declare public readonly epoch: pulumi.Output<number>;
  /** What this update does: initial, switchover, failover, resume, rejoin or none. */
  declare public readonly transition: pulumi.Output<string>;
  /** EPOCH-HASH of the plan; `approvedPlan` takes it. */
  declare public readonly planDigest: pulumi.Output<string>;
  /** The plan as a Markdown checklist. */
  declare public readonly checklist: pulumi.Output<string>;

  /**
   * @param name short lower-case name; names the resources and the sites' state folders
   * @throws Refusal when an argument does not fit or the sites are in no state to do what is asked; then nothing changes
   */
  constructor(name: string, args: StandbyPairArgs, opts?: pulumi.ComponentResourceOptions) {
    super("standby:index:StandbyPair", name, hidden(args), opts);
    // No class-field initialisers here: they would run after initialize() has begun.
    const plan = pulumi.output(this.getData()).plan;
    this.activeSite = plan.to;
    this.epoch = plan.epoch;
    this.transition = plan.transition;
    this.planDigest = plan.digest;
    this.checklist = pulumi.output(this.getData()).apply((data) => checklist(data.plan as Plan));
    this.registerOutputs({
      activeSite: this.activeSite,
      epoch: this.epoch,
      transition: this.transition,
      planDigest: this.planDigest,
      checklist: this.checklist,
    });
  }

  /** Looks, plans, refuses or registers the children: all of it before the program may end. */
  protected override async initialize(
    inputs: pulumi.Inputs,
    _opts: unknown,
    name: string,
  ): Promise<StandbyPairData> {
    const { full: args } = inputs as HiddenArgs;
    const scripts = loadScripts();
    const { plan } = await guarded({
      what: `standby pair ${name}`,
      seconds: LOOK_SECONDS,
      look: async () => {
        const looked = await look(name, args, scripts);
        const run = runId(looked.seen);
        await say(this, { ...looked, run });
        return { ...looked, run };
      },
      make: (looked) => this.children(name, args, looked, scripts),
    });
    return { plan };
  }

  private children(
    name: string,
    args: StandbyPairArgs,
    { wish, seen, plan, key, run, existing }: Looked & { readonly run: string },
    scripts: Scripts,
  ): readonly pulumi.Resource[] {
    const release = args.release === true;
    const protect = !release && (args.protect ?? true);
    const dns = adopting(cloudflare(args.dns.cloudflare, wish), existing);
    const state = firstTime(name, wish, seen, args.adopt === true, this);
    const password = new RandomPassword(
      `${name}-password`,
      { length: 32 },
      { parent: this, protect },
    );
    const claim = epochClaim(name, { epoch: plan.epoch, quiet: !hasTodo(plan) }, this);
    const runbook = new Runbook(
      name,
      {
        wish,
        plan,
        scripts,
        run,
        dns,
        sign: (content) => signed(key, wish, content),
        password: password.result,
        claimId: claim.stdout,
        after: [password, state, claim],
        protect,
      },
      { parent: this },
    );
    const after = { parent: this, protect, dependsOn: pivots(runbook, plan) };
    const gone = release ? [released(name, wish, scripts, this)] : [];
    afterwards({ wish, plan, dns, steps: runbook.steps, parent: this, release });
    return [
      password,
      state,
      claim,
      runbook,
      ...gone,
      ...runbook.steps,
      ...names(name, wish, dns, after),
    ];
  }
}

/** Names are made after the pivots they point to, so that nobody caches their absence. */
function pivots(runbook: Runbook, plan: Plan): pulumi.Resource[] {
  return runbook.steps.filter((_, index) => plan.steps[index]?.phase === "announce");
}

/** The engine stores and compares what super() gets; the rest rides along unseen. */
interface HiddenArgs {
  readonly activeSite: string;
  readonly full: StandbyPairArgs;
}

function hidden(args: StandbyPairArgs): HiddenArgs {
  const shown = { activeSite: args.activeSite };
  Object.defineProperty(shown, "full", { value: args, enumerable: false });
  return shown as HiddenArgs;
}

interface Looked {
  readonly wish: Desired;
  readonly seen: Observed;
  readonly plan: Plan;
  readonly key: string;
  /** What the list of the zones gave; absent where they could not be listed. */
  readonly list?: DnsSurvey;
  /** Live records to take over. */
  readonly existing: Existing;
}

async function look(name: string, args: StandbyPairArgs, scripts: Scripts): Promise<Looked> {
  const { wish, key } = wishOf(name, args, await resolved(args));
  const { seen, list } = await observe(wish, args, scripts);
  const plan = makePlan(wish, seen, scripts);
  // A preview that may not look shows what it can; whether the sites are fit for it is the update's to say.
  const sites = wish.observe === "none" ? notObserved() : plan.refusals;
  const refusals = [...sites, ...notNow(args, plan)];
  if (refusals.length > 0) throw new Refusal(refusalText({ ...plan, refusals }));
  const existing =
    args.adopt === true ? await existingRecords(args.dns.cloudflare) : new Map<string, string>();
  return { wish, seen, plan, key, existing, ...(list === undefined ? {} : { list }) };
}

async function observe(
  wish: Desired,
  args: StandbyPairArgs,
  scripts: Scripts,
): Promise<{ readonly seen: Observed; readonly list?: DnsSurvey }> {
  const dns = cloudflare(args.dns.cloudflare, wish);
  const [sites, witness, pivotsSeen, survey] = await Promise.all([
    wish.observe === "none" ? notLooked() : observeSites(wish, scripts),
    observeWitness(wish),
    observePivots(wish),
    dns.survey(),
  ]);
  const list = survey.ok ? survey.list : undefined;
  return {
    seen: {
      sites,
      dns: {
        witness,
        pivots: pivotsSeen,
        writable: survey.ok,
        ...(survey.ok ? {} : { why: survey.why }),
        ...(list === undefined ? {} : { findings: list.findings }),
      },
    },
    ...(list === undefined ? {} : { list }),
  };
}

function notLooked(): Observed["sites"] {
  const site = { reach: "unknown", why: "not observed" } as const;
  return { a: site, b: site };
}

/** One line for machines, one block for people. `preview --json` carries both as diagnostics. */
async function say(
  parent: StandbyPair,
  { wish, run, plan, seen, list, existing }: Looked & { readonly run: string },
): Promise<void> {
  await pulumi.log.info(preview(plan, seen), parent);
  const states = Object.fromEntries(plan.steps.map((step) => [step.id, step.state]));
  const needs = Object.fromEntries(
    plan.steps.filter((step) => step.needs.length > 0).map((step) => [step.id, step.needs]),
  );
  const { transition, epoch, from, to, digest, warnings, unguarded } = plan;
  const { findings: _, ...seenDns } = seen.dns;
  const told = { transition, epoch, from, to, digest, run, states, needs, warnings, unguarded };
  const dns = dnsTold(
    wish,
    seen,
    plan,
    list,
    [...existing].map(([record, id]) => `${id} ${record}`),
  );
  await pulumi.log.info(
    `standby-plan ${JSON.stringify({ pair: wish.name, ...told, dns, seen: { ...seen, dns: seenDns } })}`,
    parent,
  );
  // At rest the note above is enough, but not for names that lead to the wrong site.
  const loud = warnings.filter((one) => hasTodo(plan) || one.startsWith("late write"));
  for (const warning of loud) await pulumi.log.warn(warning, parent);
}
