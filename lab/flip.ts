import type { EngineEvent, RunResult } from "./engine/engine";
import type { LedgerReport } from "./ledger/report";
import type { TourLab } from "./place";
import type { Tour } from "./tour";
import { otherSite, type SiteId } from "../plan/terms";

/** One step of an update, measured. Times are milliseconds; `startedAt` counts from the update's start. */
export interface MeasuredStep {
  readonly id: string;
  readonly site: SiteId | "-";
  readonly startedAt: number;
  readonly ms: number;
}

/** One transition, as the engine, the clients and the DNS server saw it. */
export interface MeasuredTransition {
  readonly kind: string;
  readonly from: SiteId;
  readonly to: SiteId;
  readonly epoch: number;
  readonly exitCode: number;
  readonly updateMs: number;
  /** Longest time without an acknowledged write of a client that knows both hosts. */
  readonly databaseGapMs: number | undefined;
  /** Longest time without a good answer through the public name. */
  readonly publicGapMs: number | undefined;
  readonly acked: number;
  readonly lost: number;
  readonly indeterminate: number;
  readonly overlappingAcks: number;
  readonly dnsWrites: number;
  readonly steps: readonly MeasuredStep[];
}

/** What the program told about its plan, from its `standby-plan` line. */
export interface ToldPlan {
  readonly transition: string;
  readonly epoch: number;
  readonly from: SiteId;
  readonly to: SiteId;
  readonly digest: string;
  readonly states: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** The machine line of an update's diagnostics; undefined when the program refused before it. */
export function toldPlan(result: RunResult): ToldPlan | undefined {
  const line = result.diagnostics.find((one) => one.message.startsWith("standby-plan "));
  return line === undefined
    ? undefined
    : (JSON.parse(line.message.slice("standby-plan ".length)) as ToldPlan);
}

/** The text of everything an update refused with. */
export function refusalOf(result: RunResult): string {
  return result.diagnostics
    .filter((one) => one.severity === "error")
    .map((one) => one.message.trim())
    .join("\n");
}

/** The resources of a plan's steps that really did something. */
export function measuredSteps(
  result: RunResult,
  plan: ToldPlan,
  beganAt: number,
): readonly MeasuredStep[] {
  return result.steps
    .map((step) => ({ ...step, id: stepId(step.urn) }))
    .filter((step) => step.op !== "same" && plan.states[step.id] === "todo")
    .sort((one, two) => one.startedAt - two.startedAt)
    .map((step) => ({
      id: step.id,
      site: siteOf(step.id, plan),
      startedAt: Math.round(step.startedAt - beganAt),
      ms: Math.round(step.endedAt - step.startedAt),
    }));
}

/** `shop-fence` names step fence of the pair. */
export function stepId(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2).replace(/^shop-/, "");
}

function siteOf(id: string, plan: ToldPlan): SiteId | "-" {
  if (["drain", "fence"].includes(id)) return plan.from;
  if (["verify", "promote", "serve", "join"].includes(id)) return plan.to;
  if (id === "rejoin") return otherSite(plan.to);
  return "-";
}

/** What `measure` may be told. */
export interface MeasureOptions {
  /** Called for each event of the update. */
  readonly onEvent?: (event: EngineEvent) => void;
  /** Runs under load, just before the update: the place for a disaster. */
  readonly before?: () => Promise<void>;
}

/** An update with its figures; those are missing when it was refused or failed. */
export interface Measured {
  readonly result: RunResult;
  readonly measured: MeasuredTransition | undefined;
  readonly ledger: LedgerReport | undefined;
}

/** Runs one update under load and measures it. Clients are started before and stopped after, so that every row counts. */
export async function measure(
  tour: Tour<TourLab>,
  config: Readonly<Record<string, string>>,
  options: MeasureOptions = {},
): Promise<Measured> {
  tour.startClients();
  const { ledger, web } = tour.clients;
  await warm(() => ledger.acked() > 200 && web.samples.filter((one) => one.ok).length > 5);
  const startedAt = Date.now();
  await options.before?.();
  const beganAt = Date.now();
  const result = await tour.update(config, options.onEvent);
  const updateMs = Date.now() - beganAt;
  const endedAt = Date.now();
  const before = ledger.acked();
  // The gaps must have ended before the window is closed.
  await warm(() => ledger.acked() > before + 200 && web.samples.slice(-3).every((one) => one.ok));
  await tour.stopClients();
  const plan = toldPlan(result);
  if (plan === undefined || result.exitCode !== 0)
    return { result, measured: undefined, ledger: undefined };
  const account = await tour.account(plan.to);
  const round = (gap: { ms: number } | undefined) =>
    gap === undefined ? undefined : Math.round(gap.ms);
  return {
    result,
    ledger: account,
    measured: {
      kind: plan.transition,
      from: plan.from,
      to: plan.to,
      epoch: plan.epoch,
      exitCode: result.exitCode,
      updateMs,
      databaseGapMs: round(ledger.databaseGap(startedAt, endedAt)),
      publicGapMs: round(web.publicGap(startedAt, endedAt)),
      acked: account.acked,
      lost: account.lost.length,
      indeterminate: account.indeterminate.applied + account.indeterminate.absent,
      overlappingAcks: account.overlappingAcks,
      dnsWrites: tour.dnsWrites(beganAt),
      steps: measuredSteps(result, plan, beganAt),
    },
  };
}

/** Polls until `ready`, at most 10 s; what was not reached shows in the figures. */
export async function warm(ready: () => boolean, seconds = 10): Promise<void> {
  const until = Date.now() + seconds * 1000;
  while (!ready() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
}
