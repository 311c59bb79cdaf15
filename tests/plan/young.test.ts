// A pair of epoch 1 whose primary its own guard has closed: one update opens it, whatever the first one left undone.
import { ids, end, planFor, todo, update } from "./update";
import { atRest } from "./worlds";
import type { Flags } from "./wish";
import { change, isWritable, keyOf, newPair, type World } from "./world";

const wish = { activeSite: "a" } as const;

/** Every world of the first update, ended or killed anywhere. */
const young = [newPair("a"), ...update(newPair("a"), wish).seen, atRest("a")].filter((world) =>
  isWritable(world.a),
);

/** What a guard does to a primary: after a boot it runs read-only; cut off it is stopped. */
function closed(world: World): readonly World[] {
  const held = { signal: true, held: true, services: false } as const;
  const booted = change(world, "a", { role: "standby", stop: "in_production", ...held });
  // A boot that was cut short, and its recovery ended as a standby's.
  const ended = change(world, "a", { role: "down", stop: "shut_down_in_recovery", ...held });
  const cutOff = change(world, "a", { role: "down", stop: "shut_down", ...held });
  return world.a.promoted > 0 ? [booted, ended, cutOff] : [booted, ended];
}
const worlds = young.flatMap(closed);

/** As a person would who reads the refusal. */
function accepting({ plan: { refusals } }: ReturnType<typeof update>): Flags {
  const asked = [
    ...refusals
      .map(({ hint }) => hint)
      .join()
      .matchAll(/(accept\w+) ([0-9]+)/g),
  ];
  return { ...wish, ...Object.fromEntries(asked.map(([, name, epoch]) => [name, Number(epoch)])) };
}

function ends(world: World, flags: Flags): readonly string[] {
  const trace = update(world, flags);
  const last = end(trace);
  const now = planFor(last, flags);
  const fine =
    trace.code === 0 && last.a.role === "primary" && todo(now).length + now.refusals.length === 0;
  const codes = trace.plan.refusals.map(({ code }) => code).join(" ");
  return fine
    ? []
    : [
        `${keyOf(world)}\n ${trace.plan.transition} ${codes} ${trace.code} ${ids(todo(trace.plan)).join(" ")}`,
      ];
}

test("there are such worlds, before and after its promotion was recorded", () => {
  expect(new Set(worlds.map(({ a }) => a.promoted))).toEqual(new Set([0, 1]));
  expect(worlds.length).toBeGreaterThan(20);
});

test("with the other site in reach one update opens it, and nothing is accepted", () => {
  expect(worlds.flatMap((world) => ends(world, wish)).slice(0, 3)).toEqual([]);
});

test("nor with the record of its own lost", () => {
  const lost = worlds.map((world) => change(world, "a", { record: undefined }));
  expect(lost.flatMap((world) => ends(world, wish)).slice(0, 3)).toEqual([]);
});

test("a signal that the guard did not place stays before the promotion was recorded, and is named", () => {
  const others = worlds
    .filter(({ a }) => a.promoted === 0)
    .map((world) => change(world, "a", { held: false }));
  const codes = others.map((world) => update(world, wish).plan.refusals.map(({ code }) => code));
  expect(new Set(codes.map((one) => one.join()))).toEqual(new Set(["no-primary"]));
});

test.each([true, false])(
  "with the other site away (name servers answer: %s), what must be accepted is asked once and then works",
  (servers) => {
    const settled = worlds.filter(({ a }) => a.settled > 0);
    const away = settled.map((world) => ({ ...change(world, "b", { reach: false }), servers }));
    const stuck = away.flatMap((world) => {
      const first = update(world, wish);
      if (first.code === 0) return [];
      const flags = accepting(first);
      return flags.acceptUnproven === undefined ? [keyOf(world)] : ends(world, flags);
    });
    expect(away.length).toBeGreaterThan(1);
    expect(stuck.slice(0, 3)).toEqual([]);
  },
);

test("an acceptance that is left over from the first epoch opens nothing by itself", () => {
  const world = { ...change(closed(atRest("a"))[0] ?? atRest("a"), "b", { reach: false }) };
  const blind = { ...world, servers: false };
  const left = update(blind, { ...wish, acceptUnproven: 1 });
  expect(left.plan.refusals.map(({ code }) => code)).toContain("unproven-resume");
});
