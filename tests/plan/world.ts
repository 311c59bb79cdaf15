import { type Observed, parseSiteFacts, type SiteFacts } from "../../plan/observed";
import { otherSite, type EpochRecord, type Role, type SiteId } from "../../plan/terms";

/** A small model of two sites, their guards and DNS: just enough to run every plan to its end in every way. */

/** What a token or a permit is good for. */
export interface Leave {
  readonly epoch: number;
  readonly run: number;
}

export interface SiteWorld {
  readonly reach: boolean;
  readonly role: Role;
  readonly signal: boolean;
  /** The signal is the guard's own. */
  readonly held: boolean;
  /** What the control file would say of a stopped server. */
  readonly stop: "shut_down" | "in_production" | "shut_down_in_recovery";
  /** Configured to follow the other site. */
  readonly upstream: boolean;
  /** Follows no longer, though it is configured to. */
  readonly stalled: boolean;
  /** Lacks writes that the other site's last primary acknowledged. */
  readonly behind: boolean;
  /** Holds writes that the primary lacks. */
  readonly diverged: boolean;
  /** What only it holds was exported. */
  readonly exported: boolean;
  readonly record: EpochRecord | undefined;
  readonly settled: number;
  readonly promoted: number;
  readonly run: number;
  readonly token: Leave | undefined;
  readonly permit: Leave | undefined;
  readonly maintenance: boolean;
  readonly services: boolean;
  readonly prepared: string | undefined;
}

export interface World {
  readonly a: SiteWorld;
  readonly b: SiteWorld;
  readonly witness: EpochRecord | undefined;
  readonly pivot: SiteId | undefined;
  /** Records can be written. */
  readonly api: boolean;
  /** The authoritative servers answer. */
  readonly servers: boolean;
}

export const emptySite: SiteWorld = {
  reach: true,
  role: "absent",
  signal: false,
  held: false,
  stop: "shut_down",
  upstream: false,
  stalled: false,
  behind: false,
  diverged: false,
  exported: false,
  record: undefined,
  settled: 0,
  promoted: 0,
  run: 0,
  token: undefined,
  permit: undefined,
  maintenance: false,
  services: false,
  prepared: undefined,
};

/** Two machines, one of which already runs a database. */
export function newPair(primary: SiteId): World {
  const world: World = {
    a: emptySite,
    b: emptySite,
    witness: undefined,
    pivot: undefined,
    api: true,
    servers: true,
  };
  return change(world, primary, { role: "primary", services: true });
}

export function change(world: World, site: SiteId, to: Partial<SiteWorld>): World {
  return { ...world, [site]: { ...world[site], ...to } };
}

export const isWritable = (site: SiteWorld): boolean =>
  site.role === "primary" || site.role === "armed";

export function writers(world: World): readonly SiteId[] {
  return (["a", "b"] as const).filter((site) => isWritable(world[site]));
}

export function streams(world: World, site: SiteId): boolean {
  const here = world[site];
  return (
    here.role === "standby" &&
    here.upstream &&
    !here.stalled &&
    !here.diverged &&
    isWritable(world[otherSite(site)])
  );
}

const parsedFacts = new Map<string, SiteFacts>();

function factsOf(world: World, site: SiteId): SiteFacts {
  const here = world[site];
  const yes = (value: boolean) => (value ? "yes" : "no");
  const state = here.services ? "running" : "stopped";
  const lines = [
    `role=${here.role}`,
    `signal=${yes(here.signal)}`,
    `held=${yes(here.held)}`,
    `control_state=${here.role === "down" ? here.stop : "in_production"}`,
    "version=15",
    "programs=15",
    "clock=1000",
    ...(here.role === "absent" ? [] : ["system_identifier=7"]),
    `timeline=${here.diverged ? 1 : 2}`,
    `lsn=${here.diverged ? "0/2000" : "0/1000"}`,
    "fork=1:0/1000",
    `delta=${here.exported ? "2_0/1000_0/2000_hash" : "-"}`,
    `streaming=${yes(streams(world, site) || streams(world, otherSite(site)))}`,
    `upstream=${here.upstream ? `db-${otherSite(site)}:5432` : "-"}`,
    ...(here.record === undefined
      ? []
      : Object.entries(here.record).map(([key, value]) => `record_${key}=${value}`)),
    `settled=${here.settled}`,
    `promoted=${here.promoted === 0 ? "-" : `${here.promoted}_2`}`,
    `run=${here.run === 0 ? "-" : `${here.run}-x`}`,
    `maintenance=${here.maintenance ? "on" : "off"}`,
    `prepared=${here.prepared ?? "-"}`,
    `guard_running=${yes(here.prepared !== undefined)}`,
    `service.web-1=${state}`,
    `service.jobs=${state}`,
  ].join("\n");
  const known = parsedFacts.get(lines) ?? parseSiteFacts(lines);
  parsedFacts.set(lines, known);
  return known;
}

/** What a run would see of this world. */
export function observe(world: World): Observed {
  const of = (site: SiteId) =>
    world[site].reach
      ? factsOf(world, site)
      : ({ reach: "unknown", why: "ssh: timed out" } as const);
  const unknown = { status: "unknown", why: "no answer" } as const;
  return {
    sites: { a: of("a"), b: of("b") },
    dns: {
      writable: world.api,
      why: "the API is down",
      witness: !world.servers
        ? unknown
        : world.witness === undefined
          ? { status: "absent" }
          : { status: "valid", record: world.witness },
      pivots: [
        !world.servers
          ? unknown
          : world.pivot === undefined
            ? { status: "absent" }
            : { status: "site", site: world.pivot },
      ],
    },
  };
}

/** The highest epoch that exists anywhere. */
export function newestEpoch(world: World): number {
  return Math.max(
    ...[world.a.record, world.b.record, world.witness].map((record) => record?.epoch ?? 0),
  );
}

/** Two worlds with the same key behave alike: epochs count from the newest, runs are all over. */
export function keyOf(world: World): string {
  const newest = newestEpoch(world);
  const age = (epoch: number) => (epoch === 0 ? "-" : Math.min(newest - epoch, 2));
  const spell = (record: EpochRecord | undefined) =>
    record === undefined ? "-" : [age(record.epoch), record.from, record.to, record.kind].join(" ");
  const siteKey = (site: SiteWorld) =>
    JSON.stringify({
      ...site,
      record: spell(site.record),
      settled: age(site.settled),
      promoted: age(site.promoted),
      run: site.run === 0,
      token: site.token && age(site.token.epoch),
      permit: site.permit && age(site.permit.epoch),
    });
  const { a, b, witness, ...dns } = world;
  return [siteKey(a), siteKey(b), spell(witness), JSON.stringify(dns)].join("|");
}

/** The same world with the letters exchanged. What prepare leaves is each site's own: `mates` pairs the two hashes. */
export function swapped(world: World, mates: Readonly<Record<string, string>>): World {
  const turn = (record: EpochRecord | undefined) =>
    record && { ...record, from: otherSite(record.from), to: otherSite(record.to) };
  const site = (one: SiteWorld): SiteWorld => ({
    ...one,
    record: turn(one.record),
    prepared: one.prepared && (mates[one.prepared] ?? one.prepared),
  });
  return {
    ...world,
    a: site(world.b),
    b: site(world.a),
    witness: turn(world.witness),
    pivot: world.pivot && otherSite(world.pivot),
  };
}
