import { plan } from "../../plan/plan";
import type { Observed } from "../../plan/observed";
import type { SiteId } from "../../plan/terms";
import { end, update } from "./update";
import { scripts, wish } from "./wish";
import { change, emptySite, newPair, observe } from "./world";

/** A pair at rest in epoch 2, site b serving; `pair` is what each site was made ready for, in the order of its facts. */
function seen(pair: Partial<Record<SiteId, string>>, replaced = false): Observed {
  const first = end(update(newPair("a"), { activeSite: "a" }));
  const flipped = end(update(first, { activeSite: "b" }));
  const world = replaced ? change(flipped, "a", emptySite) : flipped;
  const { sites, dns } = observe(world);
  const told = (site: SiteId) => ({ ...sites[site], pair: pair[site] });
  return { dns, sites: { a: told("a"), b: told("b") } };
}

const KNOWN = { a: "5432,db-a,db-b,5432", b: "5432,db-b,db-a,5432" };

function acts(observed: Observed) {
  const made = plan(wish({ activeSite: "b" }), observed, scripts);
  const prepare = made.steps.find((step) => step.id === "prepare");
  const parts = prepare?.act.kind === "run" ? prepare.act.parts : [];
  const places = new Set(parts.filter((part) => part.dial).map((part) => part.site));
  const todo = made.steps.filter((step) => step.state === "todo").map((step) => step.id);
  return { transition: made.transition, todo, places: [...places].sort() };
}

test("at rest nothing acts while both sites know the pair by the program's addresses", () => {
  expect(acts(seen(KNOWN))).toMatchObject({ transition: "none", todo: [] });
});

test("a host replaced by one with another address: the survivor is made ready too, before the copy", () => {
  expect(acts(seen({ b: "5432,db-b,dead-a,5432" }, true))).toEqual({
    transition: "rejoin",
    todo: ["prepare", "rejoin", "settle"],
    places: ["a", "b"],
  });
});

test("an empty host under the old address needs nothing at the survivor", () => {
  expect(acts(seen({ b: KNOWN.b }, true)).places).toEqual(["a"]);
});

test.each<[string, Partial<Record<SiteId, string>>, readonly SiteId[]]>([
  [
    "the standby's own",
    { ...KNOWN, a: "5432,old-a,db-b,5432", b: "5432,db-b,old-a,5432" },
    ["a", "b"],
  ],
  ["the primary's own", { a: "5432,db-a,old-b,5432", b: "5432,old-b,db-a,5432" }, ["a", "b"]],
  ["a port", { ...KNOWN, b: "5432,db-b,db-a,5433" }, ["b"]],
])(
  "an address changed in the program alone is carried to the sites at rest: %s",
  (_name, pair, places) => {
    const { transition, todo, places: dialled } = acts(seen(pair));
    expect([transition, dialled]).toEqual(["rejoin", places]);
    expect(todo).toContain("prepare");
  },
);

test("what is not known is not taken for another address", () => {
  expect(acts(seen({}))).toMatchObject({ transition: "none", todo: [] });
});
