// Who watches over the sites: what a plan says, and puts right, where guard and units are not as they should be.
import { planOf, readPreview } from "../../cli/previewFile";
import { status } from "../../cli/status";
import { judge } from "../../plan/dns/judge";
import { parsePreview, runbooks } from "../../plan/dns/previewJson";
import type { Observed, SiteFacts } from "../../plan/observed";
import { parseSiteFacts } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { headline } from "../../plan/render/checklist";
import { comment } from "../../plan/render/comment";
import { refusalText } from "../../plan/render/preview";
import type { SiteId } from "../../plan/terms";
import { previewOf } from "../comment/previews";
import { ids, todo } from "./update";
import { input, parsed, scripts } from "./wish";
import { observe } from "./world";
import { atRest, lost } from "./worlds";

const UNITS = { unit: "postgresql@15-main.service", owner: "unit", units: "same" } as const;

/** A pair at rest under systemd, where something is different at one site. */
function planWith(site: SiteId, more: Partial<SiteFacts>, wish: object = {}) {
  const seen = observe(atRest("a"));
  const facts = (id: SiteId) => {
    const here = seen.sites[id];
    if (here.reach !== "up") throw new Error("both sites are reached");
    return { ...here, ...UNITS, startConf: "auto", ...(id === site ? more : {}) };
  };
  const now: Observed = { ...seen, sites: { a: facts("a"), b: facts("b") } };
  return plan(parsed({ ...input(), ...wish }), now, scripts);
}

test("at rest with everything in place nothing is due and nothing is said", () => {
  const made = planWith("a", {});
  expect([made.transition, ids(todo(made)), made.warnings]).toEqual(["none", [], []]);
  expect(headline(made)).toBe("nothing to do: site a serves (epoch 1)");
});

test.each([
  ["units that are missing", { units: "missing" }],
  ["units that somebody changed", { units: "differ" }],
  ["a guard that does not run", { guardRunning: false }],
  ["start.conf set to manual", { startConf: "manual" }],
] as const)("%s: prepare puts it right at rest, at that site alone", (_, more) => {
  const made = planWith("b", more);
  expect([made.transition, ids(todo(made))]).toEqual(["none", ["prepare"]]);
  const [step] = todo(made);
  const parts = step?.act.kind === "run" ? step.act.parts : [];
  expect([...new Set(parts.filter((part) => part.dial).map((part) => part.site))]).toEqual(["b"]);
});

test("what release takes away stays away", () => {
  const made = planWith("b", { units: "missing", guardRunning: false }, { release: true });
  expect(ids(todo(made))).toEqual([]);
});

test("a guard that does not run is in the first line, of a refusal too", () => {
  const made = planWith("b", { guardRunning: false });
  expect(headline(made)).toContain("NO GUARD RUNS at site b");
  const [first] = refusalText(made).split("\n");
  expect(first).toContain("NO GUARD RUNS at site b");
});

describe("where no guard runs", () => {
  const preview = (unguarded: "a" | "b" | undefined, activeSite: SiteId) =>
    JSON.stringify(
      previewOf({
        ...{ world: atRest("a"), flags: { activeSite } },
        ...(unguarded === undefined ? {} : { unguarded }),
      }),
    );
  const commentOn = (text: string) => {
    const read = parsePreview(text);
    return comment({ judgement: judge(read), runbooks: runbooks(read) });
  };
  const statusOf = (text: string) => {
    const said: string[] = [];
    const talk = { say: (line: string) => void said.push(line), complain: () => undefined };
    status(planOf(readPreview(text), undefined), talk);
    return said;
  };

  test.each(["a", "b"] as const)(
    "the comment on a pull request begins with it, at rest and before a flip",
    (to) => {
      const [title, , verdict] = commentOn(preview("b", to)).markdown.split("\n");
      expect(title).toBe("## Standby plan: shop");
      expect(verdict).toMatch(/^\*\*NO GUARD RUNS at site b\.\*\* \S/);
    },
  );

  test("standby status says it in its first line", () => {
    const [first] = statusOf(preview("b", "a"));
    expect(first).toBe("shop: none, epoch 1, site a shall serve; NO GUARD RUNS at site b");
  });

  test("neither says it where every guard runs", () => {
    const text = preview(undefined, "a");
    expect(commentOn(text).markdown + statusOf(text).join()).not.toContain("GUARD");
  });
});

test.each(["session", "other"])(
  "a server whose owner is %s is named with the way back",
  (owner) => {
    const [warning] = planWith("a", { owner }).warnings;
    expect(warning).toContain("does not run in postgresql@15-main.service");
    expect(warning).toContain("/guard move");
  },
);

test("a lost site's bound is spoken of only where its guard was heard", () => {
  const said = (told: string) => {
    const seen = observe(lost(atRest("a"), "a"));
    const here = seen.sites.b;
    if (here.reach !== "up") throw new Error("site b is reached");
    const { peerGuard } = parseSiteFacts(`role=standby\npeer_guard=${told}`);
    const now: Observed = { ...seen, sites: { ...seen.sites, b: { ...here, peerGuard } } };
    const made = plan(parsed({ ...input(), activeSite: "b" }), now, scripts);
    return made.refusals.map(({ what }) => what).join("\n");
  };
  expect(said("1_yes/either/yes/30000")).toContain("the bound of its guard");
  expect(said("-")).not.toContain("bound of its guard");
  expect(said("-")).toContain("no guard is known to run there");
});
