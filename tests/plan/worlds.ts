import { otherSite, SITE_IDS, type SiteId } from "../../plan/terms";
import { end, planFor, update } from "./update";
import { change, isWritable, keyOf, newPair, type SiteWorld, type World } from "./world";
import type { Flags } from "./wish";

/** All worlds that a pair can get into: by updates that end or are killed anywhere, by losses, returns and by hand. */

/** A pair at rest, with this site serving. */
export function atRest(site: SiteId): World {
  return end(update(newPair(site), { activeSite: site }));
}

/** What can happen to a site between two updates. */
export function siteEvents(world: World, id: SiteId): readonly World[] {
  const here = world[id];
  const dead = { services: false } as const;
  const stop = here.role === "standby" ? "shut_down_in_recovery" : "in_production";
  const to = (more: Parameters<typeof change>[2]) => change(world, id, more);
  if (!here.reach) return [to({ reach: true })];
  const alive = here.role === "standby" || isWritable(here);
  return [
    to({ reach: false }),
    ...(alive ? [to({ role: "down", stop, ...dead }), lost(world, id)] : []),
    // The guard's boot: the signal first, and nobody to follow unless it was a standby. At a primary it is the guard's own.
    ...(here.role === "down" ? [to({ role: "standby", signal: true, held: held(here) })] : []),
    // Nothing kept it for longer than its guard waits.
    ...(isWritable(here) && here.promoted > 0
      ? [to({ role: "down", signal: true, stop: "shut_down", held: !here.signal, ...dead })]
      : []),
    ...(here.role === "standby" && here.upstream ? [lagging(world, id)] : []),
  ];
}

const held = (here: SiteWorld): boolean =>
  here.held || (!here.signal && here.stop !== "shut_down_in_recovery");

/** Everything at the site is gone at once, unseen. */
export function lost(world: World, id: SiteId): World {
  const stop = world[id].role === "standby" ? "shut_down_in_recovery" : "in_production";
  return change(world, id, { reach: false, role: "down", stop, services: false });
}

function lagging(world: World, id: SiteId): World {
  const behind = isWritable(world[otherSite(id)]);
  return change(world, id, { stalled: true, behind: behind || world[id].behind });
}

/** What people and providers do. */
export function otherEvents(world: World): readonly World[] {
  return [
    { ...world, api: !world.api },
    { ...world, servers: !world.servers },
    ...SITE_IDS.flatMap((id) => {
      const here = world[id];
      const byHand =
        here.role === "standby" || (here.role === "down" && here.signal)
          ? [change(world, id, { role: "primary", signal: false, held: false, upstream: false })]
          : [];
      const reset = { record: undefined, settled: 0, promoted: 0, run: 0, prepared: undefined };
      const forgets = { ...reset, token: undefined, permit: undefined, maintenance: false };
      const old = here.prepared === undefined ? [] : [change(world, id, { prepared: "old" })];
      return [...byHand, change(world, id, forgets), ...old, wiped(world, id, forgets)];
    }),
  ];
}

function wiped(world: World, id: SiteId, forgets: Parameters<typeof change>[2]): World {
  const empty = { role: "absent", signal: false, upstream: false, diverged: false } as const;
  return change(world, id, { ...forgets, ...empty, behind: false, services: false });
}

/** What config may say: either wish, with nothing accepted or all that a refusal asks for. */
export function flagsFor(world: World, activeSite: SiteId): readonly Flags[] {
  const hints = planFor(world, { activeSite })
    .refusals.map((refusal) => refusal.hint)
    .join(" ");
  const asked = /accept(?:Loss|Unproven) ([0-9]+)/.exec(hints)?.[1];
  if (asked === undefined) return [{ activeSite }];
  const epoch = Number(asked);
  return [{ activeSite }, { activeSite, acceptLoss: epoch, acceptUnproven: epoch }];
}

/** Worlds reachable from `starts` in this many rounds; a round is an update killed anywhere, or one event. */
export function reachable(
  starts: readonly World[],
  rounds: number,
  by: (world: World) => readonly World[],
): readonly World[] {
  const known = new Map<string, World>();
  let edge = starts;
  for (let round = 0; round <= rounds; round += 1) {
    const fresh = edge.filter((world) => {
      const key = keyOf(world);
      if (known.has(key)) return false;
      known.set(key, world);
      return true;
    });
    if (round < rounds) edge = fresh.flatMap(by);
  }
  return [...known.values()];
}

export function updates(world: World): readonly World[] {
  return SITE_IDS.flatMap((activeSite) =>
    flagsFor(world, activeSite).flatMap((flags) => update(world, flags).seen.slice(1)),
  );
}

export function events(world: World): readonly World[] {
  return SITE_IDS.flatMap((id) => siteEvents(world, id));
}
