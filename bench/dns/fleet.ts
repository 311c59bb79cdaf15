import { Agent, createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startCloudflareLab, type CloudflareLab } from "../../lab/cloudflare";
import { seedPair, shapeOf } from "../../lab/cloudflare/seed";
import { resolveAt, type NameServer } from "../../lab/ledger/names";
import { quantiles } from "../statistics";
import { findUnbound, startResolver, type Resolver, type Unbound } from "./unbound";

/**
 * When the last client moves: resolvers of several kinds in front of the emulator's name server, one write of the pivot,
 * and clients that ask all the time. Measured in real time, with the TTL scaled down.
 */
export interface FleetRow {
  readonly kind: string;
  /** Flips measured. */
  readonly n: number;
  /** Seconds from the write until no client of this kind is led to the old site. */
  readonly p50Seconds: number;
  readonly maxSeconds: number;
  /** Flips after which a client was still led to the old site when the watch ended. */
  readonly neverMoved: number;
}

export interface Fleet {
  readonly ttlSeconds: number;
  readonly watchedSeconds: number;
  readonly rows: readonly FleetRow[];
}

const ZONE = "shop.test";
const NAME = `www.${ZONE}`;
const SITES = { a: "127.0.0.2", b: "127.0.0.3" } as const;
type SiteId = keyof typeof SITES;
const TTL = 6;
const CLAMP = 20;
const WATCH_MS = 30_000;
const POLL_MS = 100;
// One asks all the time; the other comes back after a pause longer than the TTL, as most clients do.
const IDLE = "serve-expired, first asked after a pause";
const KEPT = "keep-alive HTTP connection";
const FRESH = "new HTTP connection each time";

interface Kind {
  readonly kind: string;
  readonly lines: readonly string[];
  readonly behind?: string;
}

const HONOURS = "honours the TTL";
const FORWARDS = "forwarder in front of it";
const KINDS: readonly Kind[] = [
  { kind: HONOURS, lines: [] },
  { kind: `clamped (cache-min-ttl ${CLAMP} s)`, lines: [`cache-min-ttl: ${CLAMP}`] },
  { kind: "serve-expired, asked all the time", lines: ["serve-expired: yes"] },
  { kind: IDLE, lines: ["serve-expired: yes"] },
  { kind: FORWARDS, lines: [], behind: HONOURS },
  { kind: "forwarder in front of that", lines: [], behind: FORWARDS },
];

/** `rounds` flips. Gives why there is no fleet, where unbound cannot be had. */
export async function benchFleet(rounds: number): Promise<Fleet | { readonly why: string }> {
  const unbound = findUnbound();
  if ("why" in unbound) return unbound;
  const lab = await startCloudflareLab({ zones: [{ name: ZONE }], knobs: { minTtl: 1 } });
  const fleet: Resolver[] = [];
  const web = await servers();
  try {
    seedPair(lab, { ...shapeOf([{ zone: ZONE, hostnames: [NAME] }]), ttl: TTL });
    for (const kind of KINDS) fleet.push(await resolverOf(unbound, kind, lab, fleet));
    const all: Moved[] = [];
    for (let round = 0; round < rounds; round += 1) {
      all.push(...(await flip(lab, fleet, web.port, round % 2 === 0 ? "b" : "a")));
    }
    const kinds = [...new Set(all.map(({ kind }) => kind))];
    return {
      ...{ ttlSeconds: TTL, watchedSeconds: WATCH_MS / 1000 },
      rows: kinds.map((kind) => rowOf(all.filter((one) => one.kind === kind))),
    };
  } finally {
    for (const { end } of fleet) end();
    web.close();
    await lab.close();
  }
}

function resolverOf(
  unbound: Unbound,
  { kind, lines, behind }: Kind,
  lab: CloudflareLab,
  fleet: readonly Resolver[],
): Promise<Resolver> {
  const front = fleet.find((one) => one.kind === behind);
  const own = { address: lab.dnsAddress, port: lab.dnsPort, stub: true };
  const upstream = front === undefined ? own : { ...front, stub: false };
  return startResolver(unbound, { kind, lines, zone: ZONE, upstream }, NAME);
}

interface Moved {
  readonly kind: string;
  /** Absent: not while it was watched. */
  readonly ms?: number;
}

/** One write, watched by every client at once. Everybody has the old answer in hand, none of them for the whole TTL. */
async function flip(
  lab: CloudflareLab,
  fleet: readonly Resolver[],
  port: number,
  to: SiteId,
): Promise<readonly Moved[]> {
  const honest = fleet.find(({ kind }) => kind === HONOURS);
  if (honest === undefined) throw new Error("the fleet has no honest resolver");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  await Promise.all(fleet.map((one) => resolveAt(one, NAME, 2000)));
  await answerOf(honest, port, agent);
  const idle = fleet.filter(({ kind }) => kind === IDLE);
  const busy = fleet.filter((one) => !idle.includes(one));
  const began = Date.now();
  lab.setRecord(ZONE, {
    ...{ name: `active.${ZONE}`, type: "CNAME", content: `site-${to}.${ZONE}`, ttl: TTL },
  });
  const goal = SITES[to];
  const moved = await Promise.all([
    ...busy.map((one) => watch(one.kind, began, 0, () => leads(one, goal))),
    ...idle.map((one) => watch(one.kind, began, 2 * TTL * 1000, () => leads(one, goal))),
    watch(FRESH, began, 0, async () => (await answerOf(honest, port)) === goal),
    watch(KEPT, began, 0, async () => (await answerOf(honest, port, agent)) === goal),
  ]);
  agent.destroy();
  // The next flip begins with caches that have seen this one.
  await new Promise((resolve) => setTimeout(resolve, began + WATCH_MS - Date.now()));
  return moved;
}

const leads = async (server: NameServer, goal: string) =>
  (await resolveAt(server, NAME, 2000)) === goal;

/** Polls until the new site is reached twice in a row. */
async function watch(
  kind: string,
  began: number,
  pauseMs: number,
  there: () => Promise<boolean>,
): Promise<Moved> {
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
  let last = Date.now();
  let streak = 0;
  while (Date.now() - began < WATCH_MS - 1000) {
    const yes = await there().catch(() => false);
    if (!yes) last = Date.now();
    streak = yes ? streak + 1 : 0;
    if (streak === 2) return { kind, ms: last - began };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { kind };
}

function rowOf(all: readonly Moved[]): FleetRow {
  const [first] = all;
  const times = all.flatMap(({ ms }) => (ms === undefined ? [] : [ms]));
  const neverMoved = all.length - times.length;
  const { p50, max } = quantiles(times.length === 0 ? [WATCH_MS] : times);
  const seconds = (ms: number) => Number((ms / 1000).toFixed(1));
  return {
    ...{ kind: first?.kind ?? "", n: all.length, neverMoved },
    ...{ p50Seconds: seconds(p50), maxSeconds: seconds(max) },
  };
}

/** Both sites' web servers on one port; each answers with its own address, and closes no connection by itself. */
async function servers(): Promise<{ readonly port: number; readonly close: () => void }> {
  const open: Server[] = [];
  const listen = async (address: string, port: number): Promise<number> => {
    const server = createServer((_, response) => response.end(address));
    server.keepAliveTimeout = 0;
    open.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, address, resolve);
    });
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(SITES.a, 0);
  await listen(SITES.b, port);
  return {
    port,
    close: () => {
      for (const server of open) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

/** What answers a request by name through one resolver; an agent keeps its connection, whatever DNS says. */
async function answerOf(server: NameServer, port: number, agent?: Agent): Promise<string> {
  const lookup = (
    _: string,
    options: { readonly all?: boolean },
    done: (error: Error | null, address: unknown, family?: number) => void,
  ) => {
    resolveAt(server, NAME, 2000).then(
      (address) =>
        options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4),
      (error: Error) => done(error, "", 4),
    );
  };
  return new Promise((resolve, reject) => {
    const asked = get(
      { host: NAME, port, lookup: lookup as never, agent: agent ?? false, timeout: 5000 },
      (response) => {
        let text = "";
        response.on("data", (bytes: Buffer) => (text += bytes.toString()));
        response.on("end", () => resolve(text));
      },
    );
    asked.on("error", reject);
  });
}
