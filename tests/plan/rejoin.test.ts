// A returned site that has diverged: nothing is overwritten until its own writes are exported or given up for this epoch.
import { plan } from "../../plan/plan";
import type { Step } from "../../plan/step";
import { parseSiteFacts } from "../../plan/observed";
import { rejoinOutlook, rejoinTitle } from "../../plan/rejoinWay";
import { ids, planFor, todo, update } from "./update";
import { scripts, wish } from "./wish";
import { atRest } from "./worlds";
import { change, observe, type World } from "./world";

/** Epoch 2: site b took over from the lost site a, which came back as a standby with writes of its own. */
function divergedWorld(): World {
  const away = change(atRest("a"), "a", { reach: false, role: "down", stop: "in_production" });
  const behind = change(away, "b", { behind: true, stalled: true });
  const flags = { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 } as const;
  const after = update(behind, flags).seen.at(-1) ?? behind;
  return change(after, "a", { reach: true, role: "standby", signal: true, upstream: false });
}

const stateOf = (world: World, discardDelta?: number) => {
  const flags = {
    activeSite: "b",
    ...(discardDelta === undefined ? {} : { discardDelta }),
  } as const;
  const made = planFor(world, flags);
  return made.steps.find(({ id }) => id === "rejoin");
};

/** The verbs that the rejoin step sends to the returned site. */
const dialled = (step: Step | undefined): readonly string[] =>
  step?.act.kind === "run"
    ? step.act.parts.filter((part) => part.dial).map((part) => part.verb)
    : [];

test("its services are stopped, and its writes are exported before anything else is done with its data", () => {
  const order = ["site/services", "postgres/delta", "postgres/rejoin"];
  expect(dialled(stateOf(divergedWorld()))).toEqual(order);
  expect(dialled(stateOf(divergedWorld(), 2))).toEqual(order);
  const quiet = change(divergedWorld(), "a", { services: false });
  expect(dialled(stateOf(quiet))).toEqual(order.slice(1));
  const flip = planFor(atRest("a"), { activeSite: "b" });
  expect(dialled(flip.steps.find(({ id }) => id === "rejoin"))).not.toContain("site/services");
});

test("services that its host has started are named, in a rejoin and at rest", () => {
  const said = ({ warnings }: ReturnType<typeof planFor>) =>
    warnings.filter((one) => one.startsWith("services: "));
  const wanted = expect.stringMatching(/^services: .*run at site a, which does not serve/);
  expect(said(planFor(divergedWorld(), { activeSite: "b" }))).toEqual([wanted]);
  const rest = atRest("b");
  expect(said(planFor(rest, { activeSite: "b" }))).toEqual([]);
  const booted = planFor(change(rest, "a", { services: true }), { activeSite: "b" });
  expect([booted.transition, ids(todo(booted)), said(booted)]).toEqual(["none", [], [wanted]]);
});

test("given up for this epoch, it is rewound and follows; another update has nothing to do", () => {
  const world = divergedWorld();
  const flags = { activeSite: "b", discardDelta: 2 } as const;
  expect(stateOf(world, 2)?.state).toBe("todo");
  const trace = update(world, flags);
  expect(trace.code).toBe(0);
  const end = trace.seen.at(-1) ?? world;
  expect(end.a).toMatchObject({ role: "standby", upstream: true, diverged: false });
  expect(ids(todo(planFor(end, flags)))).toEqual([]);
});

test("until an export is applied, at whichever site, the plan says where it lies", () => {
  const seen = observe(divergedWorld());
  const warned = (...applied: string[]) => {
    const { a, b } = seen.sites;
    if (a.reach !== "up" || b.reach !== "up") throw new Error("both are reached");
    const delta = ["1", "0/1000", "0/2000", "sha"];
    const sites = { a: { ...a, delta }, b: { ...b, applied: applied[0] } };
    return plan(wish({ activeSite: "b" }), { ...seen, sites }, scripts).warnings.join();
  };
  expect(warned()).toMatch(/delta\/1; look at them and apply them/);
  expect(warned("another")).toContain("apply them");
  expect(warned("sha")).not.toContain("apply them");
});

test("the flag set back to it at once: exported and rewound before anything stops, then handed over", () => {
  const flags = { activeSite: "a" } as const;
  const made = planFor(divergedWorld(), flags);
  const join = made.steps.find(({ id }) => id === "join");
  expect(dialled(join)).toEqual(["postgres/delta", "postgres/rejoin"]);
  expect(join?.title).toMatch(/^before anything stops: copy the database to site a anew/);
  const trace = update(divergedWorld(), flags);
  expect([trace.code, made.digest]).toEqual([0, trace.plan.digest]);
  const end = trace.seen.at(-1);
  expect(end?.a).toMatchObject({ role: "primary", diverged: false });
  expect(end?.b).toMatchObject({ role: "standby", upstream: true });
});

test("a follower whose WAL turns out to be gone has the time that a copy of this size asks for", () => {
  const bound = (dataSize: number | undefined) => {
    const seen = observe(change(atRest("a"), "b", { stalled: true }));
    const a = seen.sites.a.reach === "up" ? { ...seen.sites.a, dataSize } : seen.sites.a;
    const sites = { ...seen.sites, a };
    const made = plan(wish({ activeSite: "a" }), { ...seen, sites }, scripts);
    const step = made.steps.find(({ id }) => id === "rejoin");
    return step?.act.kind === "run" ? step.act.parts.at(-1)?.bound : undefined;
  };
  expect(bound(10_000_000)).toBe(240 + 60 + 10);
  expect(bound(5_000_000_000)).toBe(240 + 60 + 5000);
  expect(bound(undefined)).toBe(240 + 24 * 3600);
});

const primary = parseSiteFacts("role=primary\ntimeline=2\nfork=1:0/1000\ndata_size=5000000000");
const returned = (more: string) =>
  parseSiteFacts(`timeline=1\nlsn=0/3000000\nset.wal_log_hints=on\n${more}`);

test.each([
  ["role=standby", "rewind", "at least 50 MB, about 4 s"],
  [
    "role=standby\nset.wal_log_hints=off\nset.data_checksums=off",
    "reseed",
    ": 5000 MB, about 102 s",
  ],
  ["role=absent", "seed", ": 5000 MB, about 102 s"],
  ["role=absent\nrejoin=rewind_1700000000", "reseed", "anew: 5000 MB"],
  ["role=absent\nrejoin=ready_rejoin_1700000000", "follow", "make the other site the standby"],
  ["role=standby\nlsn=0/900", "follow", "make the other site the standby"],
])("%j becomes a standby by %s, with size and time", (facts, way, title) => {
  const outlook = rejoinOutlook(returned(facts), primary);
  expect(outlook.way).toBe(way);
  expect(rejoinTitle(outlook)).toContain(title);
});

test("the flag set back before the returned site was taken in again: join exports its writes, and the flip goes on", () => {
  const trace = update(divergedWorld(), { activeSite: "a" });
  expect(trace).toMatchObject({ code: 0, plan: { transition: "switchover", epoch: 3 } });
  expect(dialled(trace.plan.steps.find(({ id }) => id === "join"))).toEqual([
    "postgres/delta",
    "postgres/rejoin",
  ]);
  const flags = { activeSite: "a" } as const;
  const joined = trace.after[2] ?? divergedWorld();
  expect(planFor(joined, flags).digest).toBe(trace.plan.digest);
});

test("a site that was lost with maintenance on comes back without it", () => {
  const drained = change(atRest("a"), "a", { maintenance: true });
  const lostThen = change(drained, "a", { reach: false, role: "down", stop: "in_production" });
  const flags = { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 } as const;
  const after = update(lostThen, flags).seen.at(-1) ?? lostThen;
  const back = change(after, "a", { reach: true, role: "standby", signal: true });
  const rest = update(back, flags);
  expect(rest.plan.transition).toBe("rejoin");
  expect(rest.seen.at(-1)?.a.maintenance).toBe(false);
});
