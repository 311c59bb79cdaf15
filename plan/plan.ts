import { services, settings } from "./render/command";
import { contextOf, guardLine, type Context, type Draft, type StateOf } from "./phases/context";
import { phases } from "./phases/index";
import { digestOf, preparedHash } from "./digest";
import type { Desired } from "./desired";
import type { Observed } from "./observed";
import { refusalsOf, warningsOf } from "./preconditions/index";
import { GUARD_PARTS, scriptText, type Scripts } from "./scripts";
import type { Refusal, Step } from "./step";
import { strays, unguarded } from "./supervision";
import { transition, type Decision } from "./transition";
import type { SiteId, Transition } from "./terms";

/**
 * The plan: desired + observed -> one ordered list of steps. Invariants, tested by enumeration (tests/plan):
 * - no prefix of a plan has two writable sites; fence < verify < promote < announce;
 * - after any k steps, planning again yields exactly the rest; at the goal nothing is todo;
 * - the set of steps depends on the wish alone, never on what is left to do.
 */
export interface Plan {
  readonly transition: Transition;
  readonly epoch: number;
  readonly from: SiteId;
  readonly to: SiteId;
  readonly digest: string;
  readonly steps: readonly Step[];
  /** Not empty: nothing may be touched. */
  readonly refusals: readonly Refusal[];
  /** Unmet expectations that stop nothing. */
  readonly warnings: readonly string[];
  /** Sites without a running guard. */
  readonly unguarded: readonly SiteId[];
}

/** Pure: no clock, no files, no network. `scripts` is the text of scripts/ (see sites/scripts.ts). */
export function plan(wish: Desired, seen: Observed, scripts: Scripts): Plan {
  const decision = transition(wish, seen);
  const context = contextOf(wish, seen, decision, scripts, preparedHashes(wish, scripts));
  const drafts = phases.flatMap((phase) => phase.steps(context));
  const steps = drafts.map((draft, index): Step => ({
    ...draft.step,
    ...stateOf(context, drafts, index),
  }));
  const digest = digestOf(decision, steps, wish, scripts);
  return {
    transition: decision.transition,
    epoch: decision.epoch,
    from: decision.from,
    to: decision.to,
    digest,
    steps,
    refusals: refusals(decision, refusalsOf(context, steps, digest)),
    warnings: [...strays(wish, seen), ...warningsOf(context, steps)],
    unguarded: unguarded(seen),
  };
}

/** Danger: beside two writable sites no other advice may stand, least of all one that moves a data directory aside. */
function refusals({ refusals: decided }: Decision, more: readonly Refusal[]): readonly Refusal[] {
  return decided.some(({ code }) => code === "two-writers") ? decided : [...decided, ...more];
}

const UNMET = "not met; the next transition does it";

/** Whether an update of this plan does anything at all. */
export function hasTodo(plan: Pick<Plan, "steps">): boolean {
  return plan.steps.some((step) => step.state === "todo");
}

function preparedHashes(wish: Desired, scripts: Scripts): Readonly<Record<SiteId, string>> {
  const texts = ["postgres/prepare", "site/install", ...GUARD_PARTS].map((name) =>
    scriptText(scripts, name),
  );
  const told = {
    ...guardLine(wish),
    services: services(wish).join("\n"),
    servers: wish.dns.servers.join(" "),
    keys: wish.witnessKeys.map((key) => key.id).join(" "),
  };
  const hash = (site: SiteId) => preparedHash({ ...settings(site, wish), ...told }, texts);
  return { a: hash("a"), b: hash("b") };
}

function stateOf(context: Context, drafts: readonly Draft[], index: number): StateOf {
  const draft = drafts[index];
  if (draft === undefined || !draft.has) return { state: "skipped" };
  if (isDone(context, drafts, index)) return { state: "done" };
  if (draft.waiting !== undefined) return { state: "waiting", note: draft.waiting };
  if (!restful(context.decision, draft)) return { state: "todo" };
  return draft.fleeting === true ? { state: "done" } : { state: "done", note: UNMET };
}

/** At rest nothing acts; when the other site returns, only what makes it a standby does. */
function restful(decision: Decision, draft: Draft): boolean {
  const { phase } = draft.step;
  if (draft.mends === true) return false;
  if (decision.transition === "none") return true;
  if (decision.transition !== "rejoin" || phase === "rejoin" || phase === "settle") return false;
  return phase !== "prepare" || draft.own !== true;
}

/** Its own lasting effect is seen, or that of a later step of this epoch. */
function isDone(context: Context, drafts: readonly Draft[], index: number): boolean {
  const draft = drafts[index];
  if (draft === undefined || draft.effect) return true;
  if (draft.own === true) return false;
  // At rest what is not met is named, whatever came after it.
  if (context.decision.transition === "none") return draft.fleeting === true;
  const promoteAt = drafts.findIndex((one) => one.step.id === "promote");
  if (index < promoteAt && context.promoted) return true;
  if (draft.byRun === true) return false;
  return drafts.some(
    (later, at) =>
      at > index && at < promoteAt && later.has && later.effect && later.proves === true,
  );
}
