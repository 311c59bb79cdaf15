// A standby that holds what its primary does not have: refused in every transition, and failed over to.
import { ahead } from "../../plan/ahead";
import type { Observed, SiteFacts } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { ids, todo } from "./update";
import { input, parsed, scripts } from "./wish";
import { observe } from "./world";
import { atRest } from "./worlds";

const RECOVERED = { streaming: false } as const;
const PRIMARY = { timeline: 3, lsn: "1/2000" } as const;

function seenWith(a: Partial<SiteFacts>, b: Partial<SiteFacts>): Observed {
  const seen = observe(atRest("a"));
  const { a: here, b: there } = seen.sites;
  if (here.reach !== "up" || there.reach !== "up") throw new Error("both sites are reached");
  const same = { systemIdentifier: "7" };
  return {
    ...seen,
    sites: {
      a: { ...here, ...same, ...PRIMARY, ...a },
      b: { ...there, ...same, timeline: 3, lsn: "1/1000", ...b },
    },
  };
}
const planWith = (seen: Observed, wish: object = {}) =>
  plan(parsed({ ...input(), ...wish }), seen, scripts);
const codes = (made: ReturnType<typeof planWith>) => made.refusals.map(({ code }) => code);

/** What shows it: the primary's own account, positions of two that do not stream, a timeline, the rejoin's finding. */
const SURPLUS: readonly (readonly [string, Partial<SiteFacts>, Partial<SiteFacts>, string])[] = [
  ["its primary counts it ahead", { lagBytes: -8832 }, { lsn: "1/4280" }, "8832 bytes more"],
  [
    "it is further and nothing streams",
    RECOVERED,
    { ...RECOVERED, lsn: "1/2100" },
    "256 bytes more",
  ],
  [
    "beyond 2^40",
    { ...RECOVERED, lsn: "1FF/FFFFFFF0" },
    { ...RECOVERED, lsn: "200/10" },
    "32 bytes more",
  ],
  [
    "it is on a later timeline",
    RECOVERED,
    { ...RECOVERED, timeline: 4 },
    "which its primary was never on",
  ],
  ["the rejoin verb found it so", {}, { beyond: "1/3000" }, "replayed up to 1/3000"],
];

test.each(SURPLUS)("%s: at rest an update refuses, and nothing is begun", (_, a, b, text) => {
  const made = planWith(seenWith(a, b));
  const [refusal] = made.refusals;
  expect([refusal?.code, refusal?.what]).toEqual(["older-primary", expect.stringContaining(text)]);
  expect(refusal?.hint).toContain("pulumi config set activeSite b && pulumi up");
});

test.each(SURPLUS)(
  "%s: the other site is failed over to, without the older one being started",
  (_, a, b) => {
    const made = planWith(seenWith(a, b), { activeSite: "b" });
    expect([made.transition, codes(made)]).toEqual(["failover", []]);
    const fence = made.steps.find(({ id }) => id === "fence");
    const parts = fence?.act.kind === "run" ? fence.act.parts : [];
    expect(parts.map((part) => part.seen)).toEqual([{ value: "older" }]);
  },
);

test.each([
  ["one that streams and was seen later", { streaming: true }, { lsn: "1/9000", streaming: true }],
  ["one that is behind", RECOVERED, RECOVERED],
  ["one of another cluster", RECOVERED, { ...RECOVERED, lsn: "1/2100", systemIdentifier: "8" }],
  ["equal positions", RECOVERED, { ...RECOVERED, lsn: "1/2000" }],
] as const)("%s holds no more", (_, a, b) => {
  expect(ahead(seenWith(a, b))).toBeUndefined();
});

test("closed by its own guard it may have more to replay: no refusal, its verb compares the disks", () => {
  const held = { role: "standby", held: true, signal: true, ...RECOVERED } as const;
  const seen = seenWith(held, { ...RECOVERED, lsn: "1/2100" });
  expect(codes(planWith(seen))).not.toContain("older-primary");
  expect(planWith(seen, { activeSite: "b" }).transition).toBe("failover");
});

test("given up for this very epoch, its rejoin is planned, and nothing else", () => {
  const seen = seenWith({ lagBytes: -8832 }, { lsn: "1/4280" });
  const made = planWith(seen, { discardDelta: 1 });
  expect([made.transition, codes(made)]).toEqual(["rejoin", []]);
  expect(codes(planWith(seen, { discardDelta: 2 }))).toEqual(["older-primary"]);
});

test("a pair at rest is as it was", () => {
  const made = planWith(seenWith({}, {}));
  expect([made.transition, ids(todo(made)), codes(made)]).toEqual(["none", [], []]);
});
