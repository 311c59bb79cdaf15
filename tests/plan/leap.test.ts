// A promotion after an accepted loss is done once its sequences have leapt, not once the primary is seen.
import type { Observed } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { ids, todo, update } from "./update";
import { input, parsed, scripts } from "./wish";
import { observe } from "./world";
import { atRest, lost } from "./worlds";

/** Killed behind the promotion, in a failover to b whose loss is accepted. */
function promoted(leap?: string) {
  const wish = { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 } as const;
  const worlds = update(lost(atRest("a"), "a"), wish).seen;
  const world = worlds.find(({ b }) => b.promoted === 2 && b.role === "primary");
  if (world === undefined) throw new Error("no world behind the promotion");
  const seen = observe(world);
  const { b } = seen.sites;
  if (b.reach !== "up") throw new Error("site b is reached");
  const now: Observed = { ...seen, sites: { ...seen.sites, b: { ...b, leap } } };
  return plan(parsed({ ...input(), ...wish }), now, scripts);
}

test.each([
  ["a leap of this epoch is due", "2", true],
  ["none is due", undefined, false],
  ["one of an older epoch is left", "1", false],
])("%s", (_, leap, due) => {
  expect(ids(todo(promoted(leap))).includes("promote")).toBe(due);
});
