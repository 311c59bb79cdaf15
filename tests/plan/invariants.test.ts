// The promises of plan/plan.ts, over every world that updates (ended or killed anywhere), losses and hands can reach.
import { otherSite } from "../../plan/terms";
import { ids, planFor, todo, update, type Trace } from "./update";
import { atRest, events, flagsFor, otherEvents, reachable, updates } from "./worlds";
import type { Flags } from "./wish";
import { keyOf, newPair, writers, type World } from "./world";

const everything = (world: World) => [...updates(world), ...events(world), ...otherEvents(world)];
const starts = [newPair("a"), atRest("a")];
const byThemselves = reachable(starts, 3, (world) => [...updates(world), ...events(world)]);
const byHand = reachable(starts, 2, everything);
const worlds = [...new Map([...byThemselves, ...byHand].map((one) => [keyOf(one), one])).values()];

interface Case {
  readonly world: World;
  readonly flags: Flags;
  readonly trace: Trace;
}
const cases: readonly Case[] = worlds.flatMap((world) =>
  (["a", "b"] as const)
    .flatMap((site) => flagsFor(world, site))
    .map((flags) => ({ world, flags, trace: update(world, flags) })),
);

const spell = ({ world, flags, trace }: Case, more = ""): string => {
  const { transition, epoch, steps, refusals } = trace.plan;
  return [
    keyOf(world),
    JSON.stringify(flags),
    `${transition} ${epoch}`,
    ids(steps.filter((step) => step.state === "todo")).join(" "),
    refusals.map((refusal) => refusal.code).join(" "),
    more,
  ].join("\n  ");
};
const none = (found: readonly string[]) => {
  expect(found.slice(0, 3).join("\n")).toBe("");
};

test("there are thousands of worlds, and every kind of transition among them", () => {
  expect(worlds.length).toBeGreaterThan(2000);
  expect([...new Set(cases.map((one) => one.trace.plan.transition))].sort()).toEqual(
    ["failover", "initial", "none", "rejoin", "resume", "switchover"].sort(),
  );
});

test("no prefix of a plan, killed anywhere, has two writable sites", () => {
  none(
    cases
      .filter(({ world }) => writers(world).length < 2)
      .filter(({ trace }) => trace.seen.some((world) => writers(world).length > 1))
      // What a person took upon himself: the other site is out of sight and its guard was not told.
      .filter(({ world, flags, trace: { plan } }) => {
        return flags.acceptUnproven !== plan.epoch || world[plan.from].reach;
      })
      .map((one) => spell(one)),
  );
});

test("the proof of a switchover needs nobody's acceptance, and it is never given up for one", () => {
  none(
    cases
      .filter(({ trace }) => trace.plan.transition === "switchover" && trace.code === 0)
      .filter(({ world, trace }) => {
        const last = trace.seen.at(-1);
        return !world[trace.plan.from].behind && last?.[trace.plan.from].diverged === true;
      })
      .map((one) => spell(one)),
  );
});

test("two writable sites are refused, whatever is wished or accepted", () => {
  const two = cases.filter(
    ({ world }) => writers(world).length > 1 && world.a.reach && world.b.reach,
  );
  expect(two.length).toBeGreaterThan(0);
  none(
    two
      .filter(({ trace }) => !trace.plan.refusals.some(({ code }) => code === "two-writers"))
      .map((one) => spell(one)),
  );
});

test("fence before verify before promote before announce, and the set of steps is one", () => {
  const [first] = cases;
  const all = ids(first?.trace.plan.steps ?? []);
  const order = ["witness", "drain", "fence", "verify", "promote", "serve", "pivot-example.com"];
  expect(all.filter((id) => order.includes(id))).toEqual(order);
  none(
    cases
      .filter(({ trace }) => ids(trace.plan.steps).join() !== all.join())
      .map((one) => spell(one)),
  );
});

test("a failover from a site that cannot be drained needs acceptance for exactly its epoch", () => {
  const promoting = cases.filter(
    ({ trace: { plan } }) =>
      plan.transition === "failover" &&
      plan.refusals.length === 0 &&
      plan.steps.some(({ id, state }) => id === "verify" && state === "todo"),
  );
  expect(promoting.length).toBeGreaterThan(0);
  none(
    promoting
      .filter(({ world, flags, trace: { plan } }) => {
        const { reach, role } = world[plan.from];
        const drainable = reach && role !== "absent";
        const unproven = reach || flags.acceptUnproven === plan.epoch;
        return (!drainable && flags.acceptLoss !== plan.epoch) || !unproven;
      })
      .map((one) => spell(one)),
  );
});

test("a failover that nobody accepted a loss for loses nothing, and it can end well", () => {
  const unaccepted = cases.filter(
    ({ flags, trace: { plan } }) =>
      plan.transition === "failover" &&
      flags.acceptLoss !== plan.epoch &&
      plan.steps.some(({ id, state }) => id === "verify" && state === "todo"),
  );
  const ended = unaccepted.filter(({ trace }) => trace.code === 0);
  expect(ended.filter(({ world, trace }) => world[trace.plan.to].behind).length).toBeGreaterThan(0);
  none(
    unaccepted
      .filter(({ world, trace: { plan, seen } }) => {
        return !world[plan.from].diverged && seen.at(-1)?.[plan.from].diverged === true;
      })
      .map((one) => spell(one)),
  );
});

test("every refusal says what to do next", () => {
  none(
    cases.flatMap((one) =>
      one.trace.plan.refusals
        .filter(({ hint, what }) => hint.trim() === "" || /undefined|NaN/.test(what + hint))
        .map(({ code, what, hint }) => spell(one, `${code}: ${what}; ${hint}`)),
    ),
  );
});

// These leave nothing that could be seen before the promotion, so they may run again.
const again = new Set(["preflight", "seen", "fence", "verify", "outside"]);

// A standby that was never replaced follows again by itself as soon as its primary is back.
const byItself = new Set(["rejoin"]);

interface Rest {
  readonly got: readonly string[];
  readonly transition: string;
  readonly epoch: number;
  readonly digest: string;
  readonly codes: string;
}
const rests = new Map<string, Rest>();

// Chains killed at different points pass through the same worlds.
function restOf(world: World, flags: Flags): Rest {
  const key = JSON.stringify([world, flags]);
  const known = rests.get(key);
  if (known !== undefined) return known;
  const now = planFor(world, flags);
  const { transition, epoch, digest } = now;
  const codes = now.refusals.map(({ code }) => code).join(" ");
  const rest = { got: ids(todo(now)), transition, epoch, digest, codes };
  rests.set(key, rest);
  return rest;
}

function restFaults(one: Case): readonly string[] {
  const { trace, flags } = one;
  const steps = ids(todo(trace.plan));
  const promoteAt = steps.indexOf("promote");
  return trace.after.slice(1).flatMap((world, index) => {
    const k = index + 1;
    const now = restOf(world, flags);
    const { got } = now;
    const rest = steps.slice(k);
    const before = got.filter((id) => !rest.includes(id));
    const allowed = before.every((id) => {
      const at = steps.indexOf(id);
      const blind = !world.servers && (id === "witness" || id.startsWith("pivot-"));
      return (
        (again.has(id) || blind) &&
        at >= 0 &&
        at < k &&
        (k <= promoteAt || at > promoteAt || promoteAt < 0)
      );
    });
    const bare = got.filter((id) => rest.includes(id));
    const same =
      rest.length === 0 ||
      (now.transition === trace.plan.transition && now.digest === trace.plan.digest);
    const proofs = ["fence", "verify"].filter((id) => steps.includes(id));
    const proven = k > promoteAt || proofs.every((id) => got.includes(id));
    const missing = rest.filter((id) => !got.includes(id));
    const exact = bare.join() === rest.filter((id) => got.includes(id)).join();
    const whole = exact && missing.every((id) => byItself.has(id));
    const fine = allowed && whole && now.codes === "";
    const told = `after ${k} of ${steps.join(" ")}: ${now.transition} ${now.epoch} ${got.join(" ")}`;
    return fine && same && proven ? [] : [spell(one, `${told} ${now.codes}`)];
  });
}

/** A primary of a settled epoch that is only started again: its epoch is over, so a kill leaves warnings, not steps. */
const startsAgain = ({ world, trace: { plan } }: Case): boolean =>
  plan.epoch > 0 &&
  !["none", "rejoin"].includes(plan.transition) &&
  Math.max(world.a.reach ? world.a.settled : 0, world.b.reach ? world.b.settled : 0) === plan.epoch;

test("after any k steps the new plan is exactly the rest, under the same digest", () => {
  none(cases.filter((one) => !startsAgain(one)).flatMap(restFaults));
});

test("a settled primary that was only started again leaves a warning for what a kill left out", () => {
  const killed = cases.filter((one) => startsAgain(one) && one.trace.after.length > 1);
  expect(killed.length).toBeGreaterThan(0);
  none(
    killed.flatMap((one) => {
      const now = planFor(one.trace.after[1] ?? one.world, one.flags);
      const unmet = ids(todo(one.trace.plan)).includes("serve");
      const said = now.warnings.some((warning) => warning.startsWith("serve: "));
      return now.refusals.length === 0 && (!unmet || said || ids(todo(now)).includes("serve"))
        ? []
        : [spell(one, now.warnings.join("; "))];
    }),
  );
});

test("after a whole update nothing is left to do", () => {
  none(
    cases
      .filter(({ trace }) => trace.code === 0)
      .flatMap((one) => {
        const last = one.trace.seen.at(-1) ?? one.world;
        const now = planFor(last, one.flags);
        const rest = ids(todo(now));
        const quiet = rest.length === 0 && now.refusals.length === 0;
        return quiet ? [] : [spell(one, `${now.transition}: ${rest.join(" ")}`)];
      }),
  );
});

test("at the goal the wish is served, by the only writer that is seen", () => {
  none(
    cases
      .filter(({ trace }) => trace.code === 0)
      .filter(({ trace, flags }) => {
        const last = trace.seen.at(-1);
        const other = otherSite(flags.activeSite);
        return (
          last?.[flags.activeSite].role !== "primary" ||
          (last[other].reach && last[other].role === "primary")
        );
      })
      .map((one) => spell(one)),
  );
});
