import { plan } from "../../plan/plan";
import type { SiteFacts } from "../../plan/observed";
import type { SiteId } from "../../plan/terms";
import { end, update } from "./update";
import { scripts, wish } from "./wish";
import { change, newPair, observe, type SiteWorld } from "./world";

function made(
  activeSite: SiteId,
  facts: Partial<Record<SiteId, Partial<SiteFacts>>>,
  b: Partial<SiteWorld> = {},
  mount = false,
) {
  const world = change(end(update(newPair("a"), { activeSite: "a" })), "b", b);
  const { sites, dns } = observe(world);
  const told = (site: SiteId) => {
    const seen = { ...sites[site], ...facts[site] } as SiteFacts;
    return { ...seen, ground: { ...seen.ground, mount: mount && site === "b" } };
  };
  const seen = { a: told("a"), b: told("b") };
  return plan(wish({ activeSite }), { dns, sites: seen }, scripts);
}

test("a diverged site that cannot be put aside is refused before anything is done with it", () => {
  const diverged = { diverged: true, upstream: false } as const;
  const facts = { b: { timeline: 1, lsn: "0/2000", fork: undefined } };
  const refused = made("b", facts, diverged, true).refusals;
  expect(refused).toContainEqual(
    expect.objectContaining({
      code: "unmovable",
      what: expect.stringMatching(/site b has diverged.*is a mount point/) as string,
    }),
  );
  expect(made("b", facts, diverged).refusals).toEqual([]);
});

test("synchronous_standby_names that waits to come back is named at rest too", () => {
  expect(made("a", { a: { keptNames: "FIRST 1 (standby_b)" } }).warnings).toEqual([
    expect.stringMatching(
      /^site a: synchronous_standby_names is empty .* it was "FIRST 1 \(standby_b\)"/,
    ),
  ]);
});
