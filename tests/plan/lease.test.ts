// What an update may take as proven of a site it cannot reach, and what it asks a person to accept.
import { parseDesired } from "../../plan/desired";
import { parseSiteFacts, type Observed } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { input, parsed, scripts } from "./wish";
import { observe } from "./world";
import { atRest, lost } from "./worlds";

const leaseGuard = { bound: 30, isolation: "lease", after: 12, poll: 2 };

/** Site a is lost at epoch 1; this is what site b's guard last heard of a's. */
function failover(told: string | undefined, guard: object = leaseGuard, api = true) {
  const seen = observe({ ...lost(atRest("a"), "a"), api });
  const here = seen.sites.b;
  if (here.reach !== "up") throw new Error("site b is reached");
  const { peerGuard } = parseSiteFacts(`role=standby\npeer_guard=${told ?? "-"}`);
  const now: Observed = { ...seen, sites: { ...seen.sites, b: { ...here, peerGuard } } };
  const wish = parsed({ ...input(), activeSite: "b", guard, acceptLoss: 2 });
  return plan(wish, now, scripts);
}
const asked = (told: string | undefined, guard?: object) =>
  failover(told, guard)
    .refusals.map(({ hint }) => hint)
    .join("\n");

test("mode lease, supervised, armed, within the bound: nobody is asked, and the bound is waited out", () => {
  const made = failover("1_yes/lease/yes/30000");
  expect(made.transition).toBe("failover");
  expect(made.refusals).toEqual([]);
  const fence = made.steps.find((step) => step.id === "fence");
  expect(fence?.act.kind === "run" && fence.act.wait).toBe(30);
});

test("it is a proof without DNS, too", () => {
  expect(failover("1_yes/lease/yes/30000", leaseGuard, false).refusals).toEqual([]);
});

test.each([
  ["no guard was ever heard", undefined],
  ["it was not supervised", "1_no/lease/yes/30000"],
  ["it has never held a lease in this reign", "1_yes/lease/no/30000"],
  ["it lived by another rule", "1_yes/either/yes/30000"],
  ["its bound was longer than what is waited", "1_yes/lease/yes/31000"],
  ["it was of no reign that is known", "0_yes/lease/yes/30000"],
  ["its word cannot be read", "1_-"],
])("unproven: %s", (_, told) => {
  expect(asked(told)).toContain("pulumi config set acceptUnproven 2");
});

test("unproven under either, whatever the guard says", () => {
  expect(asked("1_yes/lease/yes/30000", { bound: 30 })).toContain("acceptUnproven 2");
});

test("a bound that leaves no time for asking and stopping is refused", () => {
  const result = parseDesired({ ...input(), guard: { bound: 10, after: 6, poll: 1 } });
  expect("issues" in result && result.issues).toEqual([
    { path: "guard.bound", message: expect.stringContaining("guard.after + guard.poll + 4 s") },
  ]);
});
