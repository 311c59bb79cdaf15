import { plan, type Plan } from "../../plan/plan";
import type { Part, Step } from "../../plan/step";
import { EXIT, KINDS, SITE_IDS } from "../../plan/terms";
import { runPart, type Outcome } from "./verbs";
import { scripts, wish, type Flags } from "./wish";
import { change, isWritable, observe, type World } from "./world";

/** One update of the model: plan, then step by step, as the engine does it. */

export function planFor(world: World, flags: Flags): Plan {
  return plan(wish(flags), observe(world), scripts);
}

/** Every plan makes a run id above all that the reachable sites know. */
export function nextRun(world: World): number {
  return 1 + Math.max(...SITE_IDS.map((site) => (world[site].reach ? world[site].run : 0)));
}

export function todo(plan: Plan): readonly Step[] {
  return plan.steps.filter((step) => step.state === "todo");
}

export const ids = (steps: readonly Step[]): readonly string[] => steps.map((step) => step.id);

/** The worlds after each of a step's parts: where a kill can leave it. The last one is the step's end. */
export function stages(world: World, step: Step, run: number): readonly Outcome[] {
  if (step.act.kind === "record") return [record(world, step)];
  const outcomes: Outcome[] = [];
  let now: World = step.act.wait === undefined ? world : waitedOut(world, step);
  for (const part of step.act.parts) {
    outcomes.push(...between(now, part).map((each) => ({ world: each, code: EXIT.unreached })));
    const outcome = runPart(now, part, run);
    now = outcome.world;
    outcomes.push(outcome);
    if (outcome.code === EXIT.holds || part.optional === true) continue;
    const next = step.act.parts[step.act.parts.indexOf(part) + 1];
    // What ran beside it ends as it may; nothing is undone.
    if (part.beside === true && next !== undefined) {
      return [...outcomes, { world: runPart(now, next, run).world, code: outcome.code }];
    }
    const last = part === step.act.parts.at(-1);
    const takes = last && (outcome.code === EXIT.later || outcome.code === EXIT.refused);
    return takes ? [...outcomes, ...takenBack(now, step.act.undo ?? [], run)] : outcomes;
  }
  return [...outcomes, { world: now, code: EXIT.holds }];
}

function takenBack(world: World, undo: readonly Part[], run: number): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  let now = world;
  for (const part of undo) {
    const outcome = runPart(now, part, run);
    now = outcome.world;
    outcomes.push({ world: now, code: EXIT.refused });
    if (outcome.code !== EXIT.holds && part.optional !== true) break;
  }
  return outcomes;
}

/** Where a kill inside a verb can leave a site. */
function between(world: World, part: Part): readonly World[] {
  if (!part.dial) return [];
  const here = world[part.site];
  if (part.verb === "postgres/fence" && isWritable(here)) {
    return [change(world, part.site, { role: "armed", signal: true })];
  }
  const leave = here.permit?.epoch === Number(part.input.epoch) && here.role === "standby";
  if (part.verb === "postgres/promote" && leave) {
    return [change(world, part.site, { promoted: here.permit?.epoch ?? 0, permit: undefined })];
  }
  return [];
}

/** A guard that sees the witness of a failover fences its site within the bound. */
function waitedOut(world: World, step: Step): World {
  const part = step.act.kind === "run" ? step.act.parts[0] : undefined;
  const told = world.witness?.kind === "failover" && world.witness.from === part?.site;
  if (part === undefined || !told || !isWritable(world[part.site])) return world;
  return change(world, part.site, { role: "down", signal: true, stop: "shut_down" });
}

function record(world: World, step: Step): Outcome {
  if (!world.api || step.act.kind !== "record") return { world, code: EXIT.later };
  const { type, content } = step.act;
  if (type === "CNAME") {
    const pivot = SITE_IDS.find((site) => content.startsWith(`site-${site}.`));
    return { world: { ...world, pivot }, code: EXIT.holds };
  }
  const match = /^v=1 epoch=(\d+) from=([ab]) to=([ab]) kind=(\w+)$/.exec(content);
  const site = (at: number) => SITE_IDS.find((one) => one === match?.[at]) ?? "a";
  const kind = KINDS.find((one) => one === match?.[4]) ?? "initial";
  const witness = { epoch: Number(match?.[1]), from: site(2), to: site(3), kind };
  return { world: { ...world, witness }, code: EXIT.holds };
}

/** The world after one step, and the exit code of the step. */
export function apply(world: World, step: Step, run = nextRun(world)): Outcome {
  return stages(world, step, run).at(-1) ?? { world, code: EXIT.holds };
}

export interface Trace {
  readonly plan: Plan;
  /** Worlds before the first step and after each: index k is after k steps. */
  readonly after: readonly World[];
  /** All worlds on the way, also those inside a step. */
  readonly seen: readonly World[];
  /** Exit code: of the step that failed, 77 for a refused plan, else 0. */
  readonly code: number;
}

/** A whole update. A refused plan touches nothing. */
export function update(world: World, flags: Flags): Trace {
  const made = planFor(world, flags);
  const after = [world];
  const seen = [world];
  if (made.refusals.length > 0) return { plan: made, after, seen, code: EXIT.refused };
  const run = nextRun(world);
  let now = world;
  for (const step of todo(made)) {
    const outcomes = stages(now, step, run);
    const last = outcomes.at(-1) ?? { world: now, code: EXIT.holds };
    seen.push(...outcomes.map((outcome) => outcome.world));
    now = last.world;
    if (last.code !== EXIT.holds) return { plan: made, after, seen, code: last.code };
    after.push(now);
  }
  return { plan: made, after, seen, code: EXIT.holds };
}

export function end(trace: Trace): World {
  const last = trace.seen.at(-1);
  if (last === undefined) throw new Error("a trace holds at least its start");
  return last;
}
