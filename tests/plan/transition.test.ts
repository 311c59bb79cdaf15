// One world at a time: the decisions that a careless reading gets wrong.
import { plan } from "../../plan/plan";
import { ids, end, planFor, todo, update } from "./update";
import { atRest, lost } from "./worlds";
import { scripts, wish, type Flags } from "./wish";
import { change, newPair, observe, type World } from "./world";

const rest = atRest("a");
const toB = { activeSite: "b" } as const;
const toA = { activeSite: "a" } as const;

/** The flip from a to b, killed after the named step. */
function killedAfter(id: string, start: World = rest, flags: Flags = toB): World {
  const trace = update(start, flags);
  const at = ids(todo(trace.plan)).indexOf(id);
  const world = trace.after[at + 1];
  if (world === undefined) throw new Error(`no step ${id}`);
  return world;
}

const codes = (world: World, flags: Flags) =>
  planFor(world, flags).refusals.map(({ code }) => code);

/** b recorded its promotion, and the run was killed before it happened. */
const promoting = (): World =>
  change(killedAfter("verify"), "b", { promoted: 2, permit: undefined });

test("a resume that was begun still needs a proof when the other site goes out of reach", () => {
  const begun = killedAfter("seen", killedAfter("verify"), toA);
  expect(planFor(begun, toA)).toMatchObject({ transition: "resume", epoch: 3, refusals: [] });
  const away = change(begun, "b", { reach: false });
  expect(codes(away, toA)).toEqual(["unproven-resume"]);
  expect(codes(away, { ...toA, acceptUnproven: 2 })).toEqual(["unproven-resume"]);
  expect(codes(away, { ...toA, acceptUnproven: 3 })).toEqual([]);
});

test("a recorded promotion is not carried on beside a site that somebody made writable", () => {
  const unfenced = change(promoting(), "a", { role: "primary", signal: false });
  expect(planFor(unfenced, toB)).toMatchObject({ transition: "switchover", epoch: 3 });
  expect(ids(todo(planFor(unfenced, toB)))).toContain("fence");
});

test("at rest, a target that is no primary is not started beside one that is", () => {
  const byHand = change(change(rest, "a", { role: "down" }), "b", { role: "primary" });
  const made = planFor(byHand, toA);
  expect(made).toMatchObject({ transition: "switchover", epoch: 2, from: "b", to: "a" });
  expect(codes(byHand, toB)).toEqual([]);
  expect(planFor(byHand, toB)).toMatchObject({ transition: "resume", epoch: 2, to: "b" });
});

test("preflight dials no site that is down: a token or the join is the way, not a test", () => {
  const dialled = (world: World, flags: Flags) => {
    const act = planFor(world, flags).steps.find((step) => step.id === "preflight")?.act;
    return act?.kind === "run"
      ? act.parts.filter((part) => part.dial).map((part) => part.site)
      : [];
  };
  const down = { role: "down", signal: true } as const;
  expect(dialled(rest, toB)).toEqual(["a", "b"]);
  expect(dialled(change(rest, "b", down), toB)).toEqual(["a"]);
  expect(dialled(change(rest, "a", down), toB)).toEqual([]);
});

test("nor while the other one is starting without its signal", () => {
  const starting = change(change(rest, "a", { role: "down" }), "b", {
    ...{ role: "starting", signal: false },
  });
  expect(codes(starting, toA)).toEqual(["recovering"]);
});

test("a site that has followed the new primary does not resume: that is a failover, with what it asks", () => {
  const followed = killedAfter("rejoin");
  const gone = lost(followed, "b");
  expect(planFor(gone, toA)).toMatchObject({ transition: "failover", epoch: 3 });
  expect(codes(gone, toA)).toEqual(["acceptance"]);
});

test("a promotion that was begun is finished first, and the refusal says so", () => {
  const [refusal, ...more] = planFor(promoting(), toA).refusals;
  expect(more).toEqual([]);
  expect(refusal).toMatchObject({ code: "promotion-begun" });
  expect(refusal?.hint).toContain("pulumi config set activeSite b && pulumi up");
  const forward = update(promoting(), toB);
  expect(ids(todo(forward.plan))[0]).toBe("promote");
  expect(end(forward).b.role).toBe("primary");
});

test("the only writer is confirmed when no record says that it was promoted", () => {
  const byHand = change(killedAfter("fence"), "b", { role: "primary", signal: false });
  expect(planFor(byHand, toB)).toMatchObject({ transition: "resume", epoch: 3, from: "a" });
  const done = update(byHand, toB);
  expect(done.code).toBe(0);
  expect(planFor(end(done), toB).transition).toBe("none");
});

test("an armed site is not done: its next start would be one as a standby", () => {
  const armed = change(rest, "a", { role: "armed", signal: true });
  expect(ids(todo(planFor(armed, toA)))).toEqual(["promote"]);
  expect(end(update(armed, toA)).a).toMatchObject({ role: "primary", signal: false });
});

test("an empty site that returns is prepared before it is seeded", () => {
  const start = end(update(change(newPair("a"), "b", { reach: false }), toA));
  const back = change(start, "b", { reach: true });
  const made = planFor(back, toA);
  expect(made.transition).toBe("rejoin");
  expect(ids(todo(made))).toEqual(["prepare", "rejoin", "settle"]);
  expect(update(back, toA).code).toBe(0);
});

test("a newer version prepares nothing at rest, at a return or in the way of a failover", () => {
  const old = change(change(rest, "a", { prepared: "old" }), "b", { prepared: "old" });
  expect(todo(planFor(old, toA))).toEqual([]);
  expect(planFor(old, toA).warnings.join()).toContain("prepare: not met");
  const stalled = change(old, "b", { stalled: true });
  expect(ids(todo(planFor(stalled, toA)))).toEqual(["rejoin"]);
  const parts = planFor(lost(old, "a"), toB).steps.flatMap(({ id, act }) =>
    id === "prepare" && act.kind === "run" ? act.parts : [],
  );
  expect(parts).toHaveLength(4);
  expect(parts.every(({ optional }) => optional === true)).toBe(true);
  expect(ids(todo(planFor(old, toB)))).toContain("prepare");
});

test("what is not met at rest is named and not acted upon", () => {
  const drifted = { ...change(rest, "a", { services: false }), pivot: undefined };
  const made = planFor(drifted, toA);
  expect(todo(made)).toEqual([]);
  expect(made.warnings.map((line) => line.split(":")[0])).toEqual(["serve", "pivot-example.com"]);
});

test("a standby that no longer follows is joined again before the fence, whatever was done before", () => {
  const stalled = change(killedAfter("seen"), "b", { stalled: true, behind: true });
  expect(ids(todo(planFor(stalled, toB)))).toContain("join");
  const trace = update(stalled, toB);
  expect(trace.code).toBe(0);
  expect(end(trace).a.diverged).toBe(false);
});

test("a pair that nothing is recorded of is not begun while the witness cannot be seen", () => {
  expect(codes({ ...newPair("a"), servers: false }, toA)).toEqual(["witness-unknown"]);
  expect(codes(newPair("a"), toA)).toEqual([]);
});

test("the next epoch is above every mark that is seen", () => {
  expect(planFor(change(rest, "b", { promoted: 7 }), toB).epoch).toBe(8);
  expect(planFor(change(newPair("a"), "a", { settled: 4 }), toA).epoch).toBe(5);
});

test("without a witness that can be written only a proven fence goes on by itself", () => {
  const dead = { ...change(rest, "a", { role: "down", services: false }), api: false };
  const accepted = { ...toB, acceptLoss: 2 };
  expect(codes(dead, accepted)).toEqual(["witness-unwritable"]);
  expect(codes(change(dead, "a", { signal: true }), toB)).toEqual([]);
  expect(codes(dead, { ...accepted, acceptUnproven: 2 })).toEqual([]);
});

test.each([
  { acceptLoss: 1 },
  { acceptLoss: 3 },
  { acceptUnproven: 2 },
  { acceptLoss: 2, acceptUnproven: 1 },
])("%j accepts nothing for epoch 2 of a primary out of reach", (accepted) => {
  const [refusal, ...more] = planFor(lost(rest, "a"), { ...toB, ...accepted }).refusals;
  expect(more).toEqual([]);
  expect(refusal?.code).toBe("acceptance");
  expect(refusal?.hint).toMatch(/pulumi config set accept(Loss|Unproven) 2/);
});

test("a fence that fails takes the drain back, as a verify does", () => {
  const undo = (id: string) =>
    planFor(rest, toB).steps.flatMap(({ id: own, act }) =>
      own === id && act.kind === "run" ? (act.undo ?? []).map(({ verb }) => verb) : [],
    );
  expect(undo("fence")).toEqual(undo("verify"));
  expect(undo("fence").slice(0, 3)).toEqual([
    "postgres/revoke",
    "postgres/promote",
    "site/services",
  ]);
});

test("a standby that lacks the tail is not promoted; the same update lets the old primary go on", () => {
  const world = change(killedAfter("fence"), "b", { behind: true });
  const trace = update(world, toB);
  expect(trace.code).toBe(77);
  expect(end(trace).a).toMatchObject({ role: "primary", services: true, maintenance: false });
  expect(end(trace).b).toMatchObject({ role: "standby", permit: undefined });
});

test("DNS pending: the target serves, nothing is settled, and the next update finishes", () => {
  const world = { ...lost(rest, "a"), api: false };
  const flags = { ...toB, acceptLoss: 2, acceptUnproven: 2 };
  const trace = update(world, flags);
  expect(trace.code).toBe(75);
  expect(end(trace).b).toMatchObject({ role: "primary", services: true, settled: 1 });
  const back = update({ ...end(trace), api: true }, flags);
  expect(back).toMatchObject({ code: 0 });
  expect(ids(todo(back.plan))).toEqual(["witness", "pivot-example.com", "outside", "settle"]);
});

test("a database of something else waits for a person", () => {
  const seen = observe(change(rest, "b", { stalled: true }));
  const sites = { ...seen.sites, b: { ...seen.sites.b, systemIdentifier: "8" } };
  const made = plan(wish(toA), { ...seen, sites }, scripts);
  expect(todo(made)).toEqual([]);
  expect(made.warnings.join()).toContain("system identifier 8, not 7");
});

test("two records of one epoch that differ stop everything, also with two writers", () => {
  const rival = { epoch: 1, from: "a", to: "b", kind: "initial" } as const;
  const world = change(rest, "b", { record: rival, role: "primary" });
  expect(codes(world, toA)).toEqual(["records-differ", "two-writers"]);
});

test("beside two writers nothing else is advised", () => {
  const world = change(rest, "b", { role: "primary", signal: false, upstream: false });
  expect(codes(world, toB)).toEqual(["two-writers"]);
  expect(codes(world, toA)).toEqual(["two-writers"]);
});
