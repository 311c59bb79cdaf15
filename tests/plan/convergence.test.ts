// A flip that is set back at any point converges: within one update, or two when a refusal names the second.
import type { SiteId } from "../../plan/terms";
import { apply, end, ids, nextRun, planFor, stages, todo, update, type Trace } from "./update";
import { atRest, events, lost, reachable } from "./worlds";
import type { Flags } from "./wish";
import { change, keyOf, writers, type World } from "./world";

/** What a refusal tells a person to type, as flags. */
function told(trace: Trace, flags: Flags): Flags {
  const hints = trace.plan.refusals.map((refusal) => refusal.hint).join("\n");
  const [, site] = /config set activeSite ([ab])/.exec(hints) ?? [];
  const epochs = [...hints.matchAll(/config set (accept\w+) ([0-9]+)/g)];
  return {
    activeSite: epochs.length === 0 && (site === "a" || site === "b") ? site : flags.activeSite,
    ...Object.fromEntries(epochs.map(([, name, epoch]) => [name, Number(epoch)])),
  };
}

const quiet = (world: World, flags: Flags): boolean => {
  const now = planFor(world, flags);
  return todo(now).length === 0 && now.refusals.length === 0;
};

/** Updates with this wish until nothing is left to do; each refusal's own words are followed once. */
function updatesNeeded(start: World, flags: Flags, bound: number): number | undefined {
  let world = start;
  let now = flags;
  for (let count = 1; count <= bound; count += 1) {
    const trace = update(world, now);
    world = end(trace);
    if (trace.plan.refusals.length > 0) now = told(trace, now);
    else if (trace.code === 0 && quiet(world, now)) return count;
  }
  return undefined;
}

/** A pair at rest whose flag is turned and whose update is killed somewhere. */
function killedFlips(start: World, to: SiteId): readonly World[] {
  return update(start, { activeSite: to }).seen;
}

const rests = [atRest("a"), end(update(atRest("a"), { activeSite: "b" }))];

test.each(["a", "b"] as const)(
  "set back to %s after any step, both sites in reach: one update",
  (site) => {
    const faults = rests.flatMap((start) =>
      (["a", "b"] as const).flatMap((to) =>
        killedFlips(start, to).flatMap((world) => {
          const needed = updatesNeeded(world, { activeSite: site }, 2);
          const first = update(world, { activeSite: site });
          const fine = needed === 1 || (needed === 2 && first.plan.refusals.length > 0);
          return fine
            ? []
            : [`${keyOf(world)} ${first.plan.transition} ${ids(todo(first.plan)).join(" ")}`];
        }),
      ),
    );
    expect(faults.slice(0, 3).join("\n")).toBe("");
  },
);

test("with a site lost, rebooted or cut off in the middle, following the refusals converges", () => {
  const killed = rests.flatMap((start) =>
    (["a", "b"] as const).flatMap((to) => killedFlips(start, to)),
  );
  const worlds = reachable(killed.flatMap(events), 0, () => []);
  expect(worlds.length).toBeGreaterThan(100);
  const stuck = worlds.flatMap((world) =>
    (["a", "b"] as const)
      .filter((site) => world[site].reach && writers(world).length < 2)
      .flatMap((site) => {
        const trace = update(world, { activeSite: site });
        // A database that is not there, or of which no standby runs, is for a person to bring back.
        const byHand = trace.plan.refusals.some(({ code }) =>
          ["no-standby", "data-gone", "cannot-confirm", "no-primary"].includes(code),
        );
        const fine = byHand || updatesNeeded(world, { activeSite: site }, 4) !== undefined;
        const codes = trace.plan.refusals.map(({ code }) => code).join(" ");
        return fine
          ? []
          : [`${keyOf(world)}\n  ${site}: ${trace.plan.transition} ${codes} ${trace.code}`];
      }),
  );
  expect(stuck.slice(0, 3).join("\n")).toBe("");
});

test("of two runners at most one goes on, whatever order their steps come in", () => {
  const start = atRest("a");
  const first = planFor(start, { activeSite: "b" });
  const steps = todo(first);
  const found: string[] = [];
  // The second runner starts after any k steps of the first, with either wish; the first then goes on at any point.
  let world = start;
  const run = nextRun(start);
  steps.forEach((step, k) => {
    for (const wish of ["a", "b"] as const) {
      const second = planFor(world, { activeSite: wish });
      if (second.refusals.length > 0) continue;
      const rival = nextRun(world) + 1;
      let now = world;
      for (const [j, other] of [...todo(second), undefined].entries()) {
        let late = now;
        for (const rest of steps.slice(k)) {
          const outcomes = stages(late, rest, run);
          late = outcomes.at(-1)?.world ?? late;
          const two = outcomes.some((outcome) => writers(outcome.world).length > 1);
          if (two) found.push(`${k} of the first, ${j} of the second (${wish}), then ${rest.id}`);
          if (outcomes.at(-1)?.code !== 0) break;
        }
        if (other === undefined) break;
        const outcome = apply(now, other, rival);
        now = outcome.world;
        if (outcome.code !== 0) break;
      }
    }
    world = apply(world, step, run).world;
  });
  expect(found.slice(0, 5)).toEqual([]);
});

test("a lost primary: both acceptances are asked for, and with them the update ends at the goal", () => {
  const world = lost(atRest("a"), "a");
  const refused = update(world, { activeSite: "b" });
  expect(refused.plan.refusals.map(({ code }) => code)).toEqual(["acceptance"]);
  const flags = told(refused, { activeSite: "b" });
  expect(flags).toEqual({ activeSite: "b", acceptLoss: 2, acceptUnproven: 2 });
  const done = update(world, flags);
  expect(done.code).toBe(0);
  expect(end(done).b).toMatchObject({ role: "primary", promoted: 2, settled: 2 });
  expect(planFor(end(done), flags).warnings.join()).toContain("site a is away");
});

test("a diverged site that returns is exported before it is rewound, in one update", () => {
  const lagging = change(atRest("a"), "b", { behind: true, stalled: true });
  const gone = lost(lagging, "a");
  const flags = { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 } as const;
  const after = end(update(gone, flags));
  const back = change(after, "a", { reach: true });
  const trace = update(back, flags);
  expect(trace.code).toBe(0);
  expect(end(trace).a).toMatchObject({ role: "standby", upstream: true, diverged: false });
  expect(todo(planFor(end(trace), flags))).toEqual([]);
});
