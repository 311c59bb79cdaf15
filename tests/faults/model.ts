import fc from "fast-check";
import { EXIT, otherSite, SITE_IDS, type SiteId } from "../../plan/terms";
import type { Step } from "../../plan/step";
import { end, nextRun, planFor, stages, todo, update } from "../plan/update";
import { atRest, otherEvents, siteEvents } from "../plan/worlds";
import type { Flags } from "../plan/wish";
import { change, keyOf, writers, type World } from "../plan/world";

/**
 * The model level: runs that are begun, advanced, killed inside a step, robbed of an answer and overtaken by each other, in any
 * order, while sites and DNS come and go. A run that is advanced long after others began is the survivor of a dead session.
 */

/** One thing that happens. Numbers are taken modulo what there is to choose from. */
export type Move =
  | { readonly kind: "begin"; readonly site: SiteId; readonly accept: boolean }
  | { readonly kind: "advance"; readonly run: number }
  /** The run goes on to its end. */
  | { readonly kind: "finish"; readonly run: number }
  /** The run's next step gets only so far, and the run learns nothing of it. */
  | { readonly kind: "kill"; readonly run: number; readonly stage: number }
  | { readonly kind: "event"; readonly choice: number }
  | { readonly kind: "dns"; readonly choice: number };

interface OpenRun {
  readonly id: number;
  readonly epoch: number;
  readonly steps: readonly Step[];
  at: number;
}

const site = fc.constantFrom(...SITE_IDS);
const small = fc.nat({ max: 30 });
export const moves: fc.Arbitrary<readonly Move[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("begin" as const), site, accept: fc.boolean() }),
    },
    { weight: 7, arbitrary: fc.record({ kind: fc.constant("advance" as const), run: small }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("finish" as const), run: small }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("kill" as const), run: small, stage: small }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("event" as const), choice: small }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("dns" as const), choice: small }) },
  ),
  { minLength: 4, maxLength: 24 },
);

const rests = [atRest("a"), end(update(atRest("a"), { activeSite: "b" }))];

/** Plays the moves; gives what was violated, or nothing. */
export function play(start: number, list: readonly Move[]): string | undefined {
  const table = new Table(rests[start % rests.length] ?? atRest("a"));
  for (const move of list) {
    const wrong = table.move(move);
    if (wrong !== undefined) return wrong;
  }
  return table.settles();
}

class Table {
  readonly #runs: OpenRun[] = [];
  /** A person has said that an unreachable site does not write: from then on two may. */
  #unproven = false;
  #counter = 0;

  constructor(private world: World) {}

  move(move: Move): string | undefined {
    switch (move.kind) {
      case "begin":
        this.#begin(move.site, move.accept);
        return undefined;
      case "advance":
        return this.#advance(move.run, undefined);
      case "finish":
        return this.#finish(move.run);
      case "kill":
        return this.#advance(move.run, move.stage);
      case "event":
        this.#choose(
          SITE_IDS.flatMap((id) => siteEvents(this.world, id)),
          move.choice,
        );
        return undefined;
      case "dns":
        this.#choose(otherEvents(this.world).slice(0, 2), move.choice);
        return undefined;
    }
  }

  #choose(worlds: readonly World[], choice: number): void {
    this.world = worlds[choice % worlds.length] ?? this.world;
  }

  #begin(activeSite: SiteId, accept: boolean): void {
    const flags = accept ? this.#accepting(activeSite) : { activeSite };
    const made = planFor(this.world, flags);
    if (made.refusals.length > 0) return;
    if (flags.acceptUnproven === made.epoch && !this.world[made.from].reach) this.#unproven = true;
    // The random half of a run id.
    this.#counter += 1;
    const id = nextRun(this.world) + this.#counter / 1000;
    this.#runs.push({ id, epoch: made.epoch, steps: todo(made), at: 0 });
  }

  #accepting(activeSite: SiteId): Flags {
    const hints = planFor(this.world, { activeSite })
      .refusals.map((refusal) => refusal.hint)
      .join(" ");
    const epoch = Number(/accept(?:Loss|Unproven) ([0-9]+)/.exec(hints)?.[1]);
    return epoch > 0 ? { activeSite, acceptLoss: epoch, acceptUnproven: epoch } : { activeSite };
  }

  #finish(choice: number): string | undefined {
    const run = this.#runs[choice % Math.max(1, this.#runs.length)];
    while (run?.steps[run.at] !== undefined && this.#runs.includes(run)) {
      const wrong = this.#advance(this.#runs.indexOf(run), undefined);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #advance(choice: number, stage: number | undefined): string | undefined {
    const run = this.#runs[choice % Math.max(1, this.#runs.length)];
    const step = run?.steps[run.at];
    if (run === undefined || step === undefined) return undefined;
    const before = writers(this.world).length;
    const outcomes = stages(this.world, step, run.id);
    const reached =
      stage === undefined ? outcomes : outcomes.slice(0, 1 + (stage % outcomes.length));
    const last = reached.at(-1);
    this.world = last?.world ?? this.world;
    const two = reached.some((outcome) => writers(outcome.world).length > 1);
    if (stage !== undefined || last?.code !== 0) this.#runs.splice(this.#runs.indexOf(run), 1);
    else run.at += 1;
    return two && before < 2 && !this.#unproven
      ? `two writers: ${step.id} of run ${run.id}, epoch ${run.epoch}: ${keyOf(this.world)}`
      : undefined;
  }

  /** Everything is mended, nothing else runs: whichever site is wished for, updates and their own words lead to rest. */
  settles(): string | undefined {
    if (writers(this.world).length > 1) return undefined;
    const healed = SITE_IDS.reduce(heal, { ...this.world, api: true, servers: true });
    for (const activeSite of SITE_IDS) {
      const stuck = converge(healed, activeSite);
      if (stuck !== undefined) return stuck;
    }
    return undefined;
  }
}

function heal(world: World, id: SiteId): World {
  const up = change(world, id, { reach: true });
  return up[id].role === "down" ? change(up, id, { role: "standby", signal: true }) : up;
}

/** What only a person can bring back. */
const BY_HAND = [
  "no-standby",
  "data-gone",
  "cannot-confirm",
  "no-primary",
  "two-writers",
  "records-differ",
];
const MOST_UPDATES = 6;

function converge(start: World, activeSite: SiteId, told = false): string | undefined {
  let world = start;
  let flags: Flags = { activeSite };
  for (let count = 0; count < MOST_UPDATES; count += 1) {
    const trace = update(world, flags);
    const { refusals } = trace.plan;
    if (refusals.some(({ code }) => BY_HAND.includes(code))) return undefined;
    world = end(trace);
    // A begun promotion is finished first: the refusal names the site, and that command, run as printed, must end it.
    if (refusals.some(({ code }) => code === "promotion-begun")) {
      return told
        ? "no way out of a begun promotion"
        : converge(world, otherSite(activeSite), true);
    }
    const hints = refusals.map(({ hint }) => hint).join(" ");
    const asked = Number(/accept(?:Loss|Unproven) ([0-9]+)/.exec(hints)?.[1]);
    // A promotion that was recorded cannot be withdrawn: the verb's refusal names the site that must be finished first.
    if (
      trace.code === EXIT.refused &&
      refusals.length === 0 &&
      trace.plan.transition === "resume"
    ) {
      return told ? "no way out of a refused resume" : converge(world, otherSite(activeSite), true);
    }
    // What the drain could not prove is asked for by the verify verb itself: accept the loss, for this epoch.
    if (
      trace.code === EXIT.refused &&
      refusals.length === 0 &&
      trace.plan.transition === "failover"
    ) {
      const { epoch } = trace.plan;
      if (flags.acceptLoss === epoch) return `refused although accepted: ${keyOf(start)}`;
      flags = { ...flags, acceptLoss: epoch, acceptUnproven: epoch };
    }
    if (asked > 0) flags = { ...flags, acceptLoss: asked, acceptUnproven: asked };
    const next = planFor(world, flags);
    if (trace.code === 0 && next.refusals.length === 0 && todo(next).length === 0) {
      return leftOver(world, activeSite, start);
    }
  }
  return `no rest for ${activeSite} after ${MOST_UPDATES} updates: ${keyOf(start)}`;
}

/** At rest nobody is kept out: neither where the services run nor where they may run next. */
function leftOver(world: World, site: SiteId, start: World): string | undefined {
  const closed = SITE_IDS.filter((id) => world[id].maintenance && world[id].settled > 0);
  return closed.length === 0
    ? undefined
    : `maintenance is left on at ${closed.join(" and ")} with ${site} serving: ${keyOf(start)}`;
}
