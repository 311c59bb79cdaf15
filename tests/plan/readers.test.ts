// What the readers of a plan may rely on: the text of every step, in every state, in every product of facts.
import { plan, type Plan } from "../../plan/plan";
import type { Observed, SiteObserved } from "../../plan/observed";
import { commandOf } from "../../plan/render/command";
import { checklist } from "../../plan/render/checklist";
import { preview, refusalText } from "../../plan/render/preview";
import { KINDS, otherSite, ROLES, SITE_IDS, type EpochRecord, type SiteId } from "../../plan/terms";
import { ids, planFor, todo, update } from "./update";
import { atRest, events, otherEvents, reachable, updates } from "./worlds";
import { input, parsed, scripts, wish } from "./wish";
import { emptySite, newPair, observe, swapped, type SiteWorld, type World } from "./world";

/** Not what can happen, but everything that can be told: a plain product of facts. */
function* product(): Generator<World> {
  const records: readonly (EpochRecord | undefined)[] = [
    undefined,
    ...KINDS.map((kind) => ({ epoch: 3, from: "a", to: "b", kind }) as const),
    { epoch: 2, from: "b", to: "a", kind: "switchover" },
  ];
  const witnesses = [undefined, records[2], records[5]];
  const site = (role: SiteWorld["role"], more: Partial<SiteWorld>): SiteWorld => ({
    ...emptySite,
    role,
    ...more,
  });
  for (const roleA of ROLES)
    for (const roleB of ROLES)
      for (const record of records)
        for (const witness of witnesses)
          for (const bits of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) {
            const marks = { promoted: bits & 1 ? 3 : 0, settled: bits & 2 ? 3 : 0, record };
            yield {
              a: site(roleA, { signal: bits > 5, reach: bits < 8, upstream: bits % 3 === 0 }),
              b: site(roleB, { ...marks, upstream: bits > 6 }),
              witness,
              pivot: bits > 6 ? undefined : "a",
              api: bits % 5 !== 4,
              servers: bits % 4 !== 3,
            };
          }
}

test("every product of facts has a transition or a refusal with a hint; nothing is thrown", () => {
  let count = 0;
  for (const world of product()) {
    for (const activeSite of SITE_IDS) {
      const made = planFor(world, { activeSite });
      count += 1;
      const answered = made.refusals.length > 0 || made.transition !== undefined;
      const hints = made.refusals.every(({ hint, what }) => hint !== "" && what !== "");
      if (!answered || !hints) throw new Error(JSON.stringify(world));
      if (promotesBeside(world, made)) throw new Error(`two writers: ${JSON.stringify(world)}`);
    }
  }
  expect(count).toBeGreaterThan(20_000);
});

/** Would promote without a fence although the other site is seen to be writable. */
function promotesBeside(world: World, made: Plan): boolean {
  const left = world[made.from];
  const steps = ids(todo(made));
  const here = world[made.to];
  return (
    made.refusals.length === 0 &&
    left.reach &&
    (left.role === "primary" || left.role === "armed") &&
    here.role !== "primary" &&
    steps.includes("promote") &&
    !steps.includes("fence")
  );
}

const worlds = reachable([newPair("a"), atRest("a")], 2, (world) => [
  ...updates(world),
  ...events(world),
  ...otherEvents(world),
]);

const { a, b } = atRest("a");
const mates = {
  [String(a.prepared)]: String(b.prepared),
  [String(b.prepared)]: String(a.prepared),
};
const turned = (site: SiteId | undefined) => (site === undefined ? "" : otherSite(site));

test("swapping a and b swaps the plan", () => {
  const shape = (made: Plan, turn: boolean) => ({
    transition: made.transition,
    epoch: made.epoch,
    from: turn ? turned(made.from) : made.from,
    to: turn ? turned(made.to) : made.to,
    codes: made.refusals.map(({ code }) => code).sort(),
    steps: made.steps.map(({ id, state, act, bound }) => [
      ...[id, state, bound],
      ...(act.kind === "record"
        ? [act.content.replaceAll(/site-([ab])|(from|to)=([ab])/g, "")]
        : act.parts.map(({ verb, site, dial }) => [verb, turn ? turned(site) : site, dial])),
    ]),
  });
  for (const world of worlds) {
    for (const site of SITE_IDS) {
      const one = planFor(world, { activeSite: site });
      const other = planFor(swapped(world, mates), { activeSite: otherSite(site) });
      expect(shape(other, true)).toEqual(shape(one, false));
    }
  }
});

test("the digest stays when a site or DNS goes out of sight, and tells transitions, epochs and directions apart", () => {
  const digests = new Map<string, string>();
  for (const world of worlds) {
    for (const activeSite of SITE_IDS) {
      const { transition, epoch, from, to, digest } = planFor(world, { activeSite });
      // These two have no epoch of their own; they carry the record of the one before.
      if (transition === "none" || transition === "rejoin") continue;
      const name = `${transition} ${epoch} ${from} ${to}`;
      expect(digests.get(name) ?? digest).toBe(digest);
      digests.set(name, digest);
    }
  }
  expect(new Set(digests.values()).size).toBe(digests.size);
  expect(digests.size).toBeGreaterThan(10);
});

test("what is not todo only checks, what is skipped or out of reach is not dialled", () => {
  for (const world of worlds) {
    for (const activeSite of SITE_IDS) {
      const flags = { activeSite };
      for (const step of planFor(world, flags).steps) {
        const { stdin } = commandOf(step, wish(flags), scripts, "check");
        const called = [...stdin.matchAll(/^part ([ab]) (\w+) /gm)];
        if (step.state === "skipped") expect(called).toEqual([]);
        for (const [, site, verb] of called) {
          expect(["postgres_check", "site_services"]).toContain(verb);
          expect(world[site === "a" ? "a" : "b"].reach).toBe(true);
        }
        if (stdin.includes("site_services")) expect(stdin).not.toMatch(/^action=(start|stop)$/m);
        if (step.act.kind === "record") continue;
        const act = commandOf(step, wish(flags), scripts, "act").stdin;
        for (const [, site] of act.matchAll(/^part ([ab]) (\w+) /gm)) {
          expect(world[site === "a" ? "a" : "b"].reach).toBe(true);
        }
      }
    }
  }
});

test("no run id, no fact and no secret is in the text of a step; records come from config and epoch alone", () => {
  const world = atRest("a");
  const runs: World = {
    ...world,
    a: { ...world.a, run: 424242, token: { epoch: 1, run: 424242 } },
  };
  const text = (one: World) =>
    planFor(one, { activeSite: "b" }).steps.map((step) =>
      step.act.kind === "record"
        ? step.act.content
        : commandOf(step, wish({ activeSite: "b" }), scripts, "act").stdin,
    );
  expect(text(runs)).toEqual(text(world));
  expect(text(world).join()).not.toMatch(/^(run|token|permit|password|digest)=/m);
  expect(
    planFor(world, { activeSite: "b" }).steps.flatMap(({ act }) =>
      act.kind === "record" ? [act.content] : [],
    ),
  ).toEqual(["v=1 epoch=2 from=a to=b kind=switchover", "site-b.example.com"]);
});

test("the secret goes to seed and prepare only", () => {
  const secret = worlds.flatMap((world) =>
    planFor(world, { activeSite: "a" }).steps.flatMap(({ act }) =>
      act.kind === "run" ? act.parts.filter((part) => part.secret === true) : [],
    ),
  );
  expect(new Set(secret.map(({ verb }) => verb))).toEqual(
    new Set(["postgres/prepare", "postgres/seed"]),
  );
});

describe("approvedPlan", () => {
  const seen = observe(atRest("a"));
  const withPlan = (approvedPlan: string, from: Observed = seen) =>
    plan(parsed({ ...input(), activeSite: "b", approvedPlan }), from, scripts);
  const { digest } = planFor(atRest("a"), { activeSite: "b" });

  test("lets through the plan that was approved, and the rest of it after a kill", () => {
    expect(withPlan(digest).refusals).toEqual([]);
    for (const world of update(atRest("a"), { activeSite: "b" }).after) {
      expect(withPlan(digest, observe(world)).refusals).toEqual([]);
    }
  });

  test("refuses any other plan and names the digest to approve", () => {
    const [refusal] = withPlan("2-0123456789ab").refusals;
    expect(refusal?.code).toBe("approved-plan");
    expect(refusal?.hint).toContain(`pulumi config set approvedPlan ${digest}`);
    expect(withPlan("3-0123456789ab").refusals.map(({ code }) => code)).toEqual(["approved-plan"]);
  });

  test("of an epoch that a site has recorded is spent, and said to be", () => {
    const made = withPlan("1-0123456789ab");
    expect(made.refusals).toEqual([]);
    expect(made.warnings.join()).toContain("approvedPlan: 1-0123456789ab is of epoch 1");
  });
});

describe("what a person reads", () => {
  test("the checklist: one line a step, with the command or the record's change", () => {
    const made = planFor(atRest("a"), { activeSite: "b" });
    const lines = checklist(made)
      .split("\n")
      .filter((line) => /^\d/.test(line));
    expect(lines).toHaveLength(made.steps.length);
    expect(lines[0]).toContain("1. [ ] **preflight** ");
    expect(lines.find((line) => line.includes("**fence**"))).toMatch(
      /: `sh runbook\/\d\d-fence\.sh`$/,
    );
    expect(lines.find((line) => line.includes("**pivot-example.com**"))).toMatch(
      /: `active\.example\.com CNAME site-a\.example\.com` becomes `site-b\.example\.com`$/,
    );
    expect(checklist(made)).toContain(
      `# switchover from site a to site b, epoch 2 (plan ${made.digest})`,
    );
  });

  test("the preview: verdict, both sites, records, steps", () => {
    const world = atRest("a");
    const text = preview(planFor(world, { activeSite: "b" }), observe(world)).split("\n");
    expect(text[0]).toMatch(/^switchover from site a to site b, epoch 2 \(plan 2-[0-9a-f]{12}\)$/);
    expect(text[1]).toBe("  site a: primary at 0/1000; shall stand by");
    expect(text[2]).toBe("  site b: standby at 0/1000; shall serve");
    expect(text[4]).toBe("  active.example.com CNAME: site-a.example.com -> site-b.example.com");
    const quiet = preview(planFor(world, { activeSite: "a" }), observe(world));
    expect(quiet).toContain("nothing to do: site a serves (epoch 1)");
    expect(quiet).toContain("No DNS change.");
  });

  test("a refusal: each issue with its next act", () => {
    const world = { ...atRest("a"), pivot: undefined };
    const gone: World = { ...world, a: { ...world.a, reach: false } };
    const text = refusalText(planFor(gone, { activeSite: "b" })).split("\n");
    expect(text[0]).toBe("Nothing was changed: failover to site b is refused.");
    expect(text[1]).toContain("site a is not reached (ssh: timed out)");
    expect(text).toContain("HINT: to accept for this epoch and go on:");
    expect(text).toContain("  pulumi config set acceptLoss 2");
    expect(text).toContain("  pulumi config set acceptUnproven 2");
  });
});

test("what is not known of a site stops nothing by itself: unknown is not down", () => {
  const away: SiteObserved = { reach: "unknown", why: "no route" };
  const seen = observe(atRest("a"));
  const made = plan(
    wish({ activeSite: "a" }),
    { ...seen, sites: { ...seen.sites, b: away } },
    scripts,
  );
  expect(made).toMatchObject({ transition: "none", refusals: [] });
  expect(made.steps.find(({ id }) => id === "rejoin")).toMatchObject({ state: "waiting" });
});
