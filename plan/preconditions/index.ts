import { olderPrimary } from "../ahead";
import { reachedFacts, type Context } from "../phases/context";
import { pivotName, siteName } from "../desired";
import { startingAnew } from "../followers";
import type { SiteFacts, SiteObserved } from "../observed";
import { awayText, type SiteAway } from "../unreadable";
import { factsOf, fenced, runningAt } from "../newest";
import { fits, handOver } from "./handOver";
import { leaseProves } from "./lease";
import { namesPutAside, unmovable } from "./surroundings";
import { zoneRefusals, zoneWarnings } from "./zones";
import { answers, askedWrongly } from "./answers";
import { setUp, setUpWarnings } from "./setUp";
import type { Refusal, Step } from "../step";
import { SITE_IDS, type SiteId } from "../terms";

/** What must hold before the first step, as far as it can be seen without touching anything. All issues are collected. */
export function refusalsOf(
  context: Context,
  steps: readonly Step[],
  digest: string,
): readonly Refusal[] {
  const acts = steps.some((step) => step.state === "todo");
  return [
    ...olderPrimary(context.wish, context.seen, context.decision),
    ...(acts ? sitesFit(context) : []),
    ...setUp(context),
    ...(beforeHandOver(context) ? handOver(context) : []),
    ...acceptance(context, steps),
    ...records(context, acts),
    ...zoneRefusals(context),
    ...unmovable(context, steps),
    ...approval(context, acts, digest),
  ];
}

/** What is unmet but stops nothing, and what waits. */
export function warningsOf(context: Context, steps: readonly Step[]): readonly string[] {
  const waiting = steps
    .filter((step) => step.state === "waiting" && step.phase !== "settle")
    .map((step) => `${step.id}: ${step.note ?? ""}`);
  const unmet = steps.filter((step) => step.state === "done" && step.note !== undefined);
  return [
    ...waiting,
    ...unmet.map((step) => `${step.id}: ${step.note ?? ""}`),
    ...(context.decision.transition === "none"
      ? drift(context).map((one) => `${one.what}; ${one.hint}`)
      : []),
    ...(beforeHandOver(context) ? startingAnew(context.seen, context.from, context.to) : []),
    ...namesPutAside(context),
    ...lateWrites(context),
    ...doubled(context),
    ...setUpWarnings(context),
    ...zoneWarnings(context),
    ...handedOver(context),
    ...noise(context),
    ...spent(context),
  ];
}

/** Facts are told apart from it by marks; other tools that come by ssh (scp, rsync, git) break on it. */
function noise(context: Context): readonly string[] {
  return SITE_IDS.flatMap((site) => {
    const printed = factsOf(context.seen.sites[site])?.noise;
    if (printed === undefined) return [];
    return `login shell: site ${site} prints ${printed} before each command; let ~/.bashrc (or what it reads) print only where it is interactive: case $- in *i*) ;; *) return ;; esac`;
  });
}

/** Writes that only one site held, exported before it was made a standby again: told until somebody applied them. */
function handedOver(context: Context): readonly string[] {
  const seen = SITE_IDS.map((site) => ({ site, facts: factsOf(context.seen.sites[site]) }));
  return seen.flatMap(({ site, facts }) => {
    const [epoch, , , hash] = facts?.delta ?? [];
    if (epoch === undefined || seen.some((one) => one.facts?.applied === hash)) return [];
    return [
      `the writes that only site ${site} held are exported to ${context.wish.sites[site].stateDirectory}/delta/${epoch}; look at them and apply them: pulumi stack export | standby delta show`,
    ];
  });
}

/** The oldest major version that the verbs are written for. */
const OLDEST = 14;

function sitesFit(context: Context): readonly Refusal[] {
  // What is broken at a lost site must not stop the failover from it.
  const concerned = context.decision.transition === "failover" ? [context.to] : SITE_IDS;
  const asked = askedWrongly(context);
  return [...asked, ...concerned.flatMap((site) => siteRefusals(context, site))];
}

function siteRefusals(context: Context, site: SiteId): readonly Refusal[] {
  const facts = factsOf(context.seen.sites[site]);
  return facts === undefined ? [] : [...siteFits(site, facts), ...answers(context, site, facts)];
}

function siteFits(site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const missing = facts.missing.filter((one) => one !== "");
  return [
    ...fits(
      missing.length === 0,
      "prerequisites",
      `site ${site}: ${missing.join(", ")} not found`,
      `install at site ${site}: util-linux (flock), coreutils (timeout, sync), bind9-dnsutils (dig), openssl and PostgreSQL's server programs.`,
    ),
    ...fits(
      facts.version === undefined ||
        facts.programs === undefined ||
        facts.version === facts.programs,
      "versions",
      `site ${site}: the data is of PostgreSQL ${String(facts.version)}, the programs of ${String(facts.programs)}`,
      "set binDirectory of this site to the programs of the data's version.",
    ),
    ...fits(
      facts.version === undefined || facts.version >= OLDEST,
      "oldest-version",
      `site ${site}: the data is of PostgreSQL ${String(facts.version)}; ${OLDEST} or newer is needed`,
      `upgrade it first (pg_upgradecluster); PostgreSQL ${OLDEST - 1} and older get no fixes any more.`,
    ),
    ...fits(
      facts.leftovers.length === 0,
      "leftovers",
      `site ${site}: recovery settings are left over (${facts.leftovers.join(", ")}); a fenced server could promote itself by them`,
      "remove them: ALTER SYSTEM RESET each, or edit the configuration file, then reload.",
    ),
  ];
}

/** Nothing has been stopped yet, so everything can still be refused for free. */
function beforeHandOver(context: Context): boolean {
  const { decision, promoted, left } = context;
  return (
    decision.transition === "switchover" &&
    !promoted &&
    left.reach === "up" &&
    left.role === "primary"
  );
}

// Only what that guard itself told the other site, in this term, says that one runs there.
function unreachedText({ from, wish, here }: Context, away: SiteAway): string {
  const facts = factsOf(here);
  const told = facts?.peerGuard;
  const guarded = facts !== undefined && told !== undefined && told.epoch > facts.promoted;
  return `site ${from} is ${awayText(away)}: nothing proves that it has stopped accepting writes; ${
    guarded
      ? `that is assumed after ${wish.guard.bound} s, the bound of its guard`
      : `no guard is known to run there, so it may go on for as long as it likes`
  }`;
}

/**
 * A failover without a proof needs a person's word, for this epoch only. A site whose host answers is drained first; where
 * that turns out to be impossible, the verify step refuses and asks for it.
 */
function acceptance(context: Context, steps: readonly Step[]): readonly Refusal[] {
  const { wish, decision, from, left } = context;
  const open = steps.some((step) => step.id === "promote" && step.state === "todo");
  if (decision.transition !== "failover" || context.promoted || !open) return [];
  const { epoch } = decision;
  const needs = [
    ...(drainable(left) || wish.acceptLoss === epoch ? [] : ["acceptLoss"]),
    ...(left.reach === "up" || leaseProves(context) || wish.acceptUnproven === epoch
      ? []
      : ["acceptUnproven"]),
  ];
  if (needs.length === 0) return [];
  const stale = (["acceptLoss", "acceptUnproven"] as const).flatMap((name) => {
    const accepted = wish[name];
    return accepted === undefined || accepted === epoch ? [] : [`epoch ${accepted} (${name})`];
  });
  return [
    {
      code: "acceptance",
      what: [
        left.reach === "up"
          ? `site ${from} answers, but has no database any more (${left.role})`
          : unreachedText(context, left),
        `promoting site ${decision.to} may leave acknowledged writes behind at site ${from} (epoch ${epoch})`,
        ...(stale.length === 0
          ? []
          : [`config accepts ${stale.join(" and ")}, which is another one`]),
      ].join("; "),
      hint: [
        "to accept for this epoch and go on:",
        ...needs.map((name) => `  pulumi config set ${name} ${epoch}`),
        "  pulumi up --yes --skip-preview",
        left.reach === "up"
          ? `or let site ${from} go on: pulumi config set activeSite ${from} && pulumi up`
          : `or bring site ${from} back and run pulumi up again.`,
      ].join("\n"),
    },
  ];
}

/** Its host answers and its data is there: what it holds can be fetched. */
function drainable(left: SiteObserved): boolean {
  return left.reach === "up" && left.role !== "absent";
}

/** Two of a worker: a lost site boots with whatever units are enabled there, and works on what it finds. */
function doubled({ decision, from, left, wish }: Context): readonly string[] {
  if (decision.transition !== "none" && decision.transition !== "rejoin") return [];
  const names = runningAt(left);
  if (names.length === 0) return [];
  return [
    `services: ${names.join(", ")} ${names.length === 1 ? "runs" : "run"} at site ${from}, which does not serve; have its host not start them at boot (systemctl disable), and stop them there: ${wish.sites[from].enterLine}`,
  ];
}

/** At rest a pivot that leads to the other site: a late write of another runner, or a hand's. Only a refresh changes it. */
function lateWrites({ wish, seen, decision, here }: Context): readonly string[] {
  if (decision.transition !== "none" || here.reach !== "up" || here.role !== "primary") return [];
  return wish.dns.zones.flatMap(({ zone }, index) => {
    const pivot = seen.dns.pivots[index];
    if (pivot?.status !== "site" || pivot.site === decision.to) return [];
    return [
      `late write: ${pivotName(zone)} points to site ${pivot.site}, but epoch ${decision.epoch} made site ${decision.to} the primary, and it is; another runner that was paused wrote it, or a hand; make sure that no other update of this pair runs, then pulumi up --refresh puts it back`,
    ];
  });
}

/** Live answers that nobody planned. */
function drift(context: Context): readonly Refusal[] {
  const { wish, seen } = context;
  return wish.dns.zones.flatMap(({ zone }, index) => {
    const pivot = seen.dns.pivots[index];
    const known = SITE_IDS.map((site) => siteName(site, zone)).join(" or ");
    return fits(
      pivot?.status !== "other",
      "pivot-drift",
      `${pivotName(zone)} answers ${pivot?.status === "other" ? pivot.content : ""}, not ${known}: somebody changed it by hand`,
      "pulumi up --refresh puts it back; find out first who changed it and why.",
    );
  });
}

function records(context: Context, acts: boolean): readonly Refusal[] {
  const { seen, decision, wish } = context;
  const hasOwnEpoch = decision.transition !== "none" && decision.transition !== "rejoin";
  const unwritten =
    seen.dns.witness.status !== "valid" || seen.dns.witness.record.epoch !== decision.epoch;
  const mayGoOn =
    context.promoted ||
    fenced(context.left) ||
    leaseProves(context) ||
    wish.acceptUnproven === decision.epoch;
  return [
    ...(acts ? drift(context) : []),
    ...fits(
      !acts || !hasOwnEpoch || !unwritten || seen.dns.writable || mayGoOn,
      "witness-unwritable",
      `the witness cannot be written (${seen.dns.why ?? "the DNS API did not answer"}), so no guard would know of epoch ${decision.epoch}`,
      `run pulumi up again when the API answers; to go on without it: pulumi config set acceptUnproven ${decision.epoch} && pulumi up --yes --skip-preview`,
      true,
    ),
  ];
}

function approvedEpoch(context: Context): number | undefined {
  const epoch = context.wish.approvedPlan?.split("-")[0];
  return epoch === undefined ? undefined : Number(epoch);
}

/** Approved is this plan and no other. One whose epoch is over is spent. */
function approval(context: Context, acts: boolean, digest: string): readonly Refusal[] {
  const { wish, decision } = context;
  if (!acts || wish.approvedPlan === undefined || spentEpoch(context) !== undefined) return [];
  if (decision.transition === "rejoin") return [];
  return fits(
    wish.approvedPlan === digest,
    "approved-plan",
    `approvedPlan: ${String(wish.approvedPlan)} was approved, but the plan is now ${digest} (${decision.transition} ${decision.from} to ${decision.to})`,
    `read the new preview; to approve it: pulumi config set approvedPlan ${digest}`,
  );
}

/** The approved epoch, when a site has recorded it: what was approved has begun or is over. */
function spentEpoch(context: Context): number | undefined {
  const epoch = approvedEpoch(context);
  const recorded = Math.max(0, ...reachedFacts(context).map((facts) => facts.record?.epoch ?? 0));
  return epoch !== undefined && (epoch < context.decision.epoch || epoch <= recorded)
    ? epoch
    : undefined;
}

function spent(context: Context): readonly string[] {
  const epoch = spentEpoch(context);
  if (epoch === undefined) return [];
  return [
    `approvedPlan: ${String(context.wish.approvedPlan)} is of epoch ${epoch}, which is recorded at a site; it is ignored`,
  ];
}
