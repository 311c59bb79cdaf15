import type { CloudflareLab, VirtualClock } from "../../lab/cloudflare";
import { seedPair, shapeOf } from "../../lab/cloudflare/seed";
import { claimEpoch } from "../../sites/claim";
import { lookAtPivots } from "../../sites/pivotLook";
import { apiCall, ApiProblem, listZone, type ApiAccess } from "../../sites/cloudflareApi";

/** One way to move n names from site a to site b, on an emulator of its own. */
export interface DnsRow {
  readonly tool: string;
  readonly n: number;
  /** Requests that changed a record. */
  readonly writes: number;
  readonly calls: number;
  /** From the first call to the last. */
  readonly virtualSeconds: number;
  /** The same, until resolvers that honour the TTL have the last name. */
  readonly lastNameMovedSeconds: number;
  /** Sum over the names of the time that they were served by the new site while another name was not: 0 = all at once. */
  readonly bothSitesNameSeconds: number;
  /** How often a person had to start it. */
  readonly runs: number;
}

/** What a tool is given. */
export interface Flip {
  readonly lab: CloudflareLab;
  readonly clock: VirtualClock;
  readonly zone: string;
  readonly zoneId: string;
  readonly names: readonly string[];
}

/** Milliseconds of one call at the vendor. */
export const CALL_MS = 200;
export const TTL = 60;
const WORKERS = 8;
/** The waits of the provider's client between its tries, in seconds. */
const RETRIES = [2, 4, 8, 16, 30, 30, 30, 30, 30, 30];

const access = (lab: CloudflareLab): ApiAccess => ({ base: lab.apiUrl, token: lab.token });

/** The pair's own way: the zone as a list, the claim, the witness, a look, the pivot, and two looks after it. */
export async function pivotRow(flip: Flip): Promise<DnsRow> {
  const { lab, clock, zone, zoneId, names } = flip;
  seedPair(lab, shapeOf([{ zone, hostnames: names }]));
  const timed = async <T>(act: () => Promise<T>): Promise<T> => {
    const before = lab.requests().length;
    const result = await act();
    clock.advance(CALL_MS * (lab.requests().length - before));
    return result;
  };
  const claim = { zone, zoneId, pair: "shop" };
  await claimEpoch(access(lab), { ...claim, epoch: 1, id: "aa" });
  const began = clock.now();
  const before = lab.requests().length;
  const { records } = await timed(() => listZone(access(lab), zone, zoneId));
  const won = await timed(() => claimEpoch(access(lab), { ...claim, epoch: 2, id: "bb" }));
  if (won.state !== "ours") throw new Error(`the epoch is ${won.state}`);
  const look = () =>
    timed(() => lookAtPivots(access(lab), { zone, id: zoneId }, [{ zone, id: zoneId }]));
  for (const [type, content] of [
    ["TXT", '"v=1 epoch=2 from=a to=b kind=switchover"'],
    ["CNAME", `site-b.${zone}`],
  ] as const) {
    if (type === "CNAME") await look();
    const name = type === "TXT" ? `_standby-shop.${zone}` : `active.${zone}`;
    const id = records.find((one) => one.type === type && one.name === name)?.id ?? "";
    const body = { name, type, content, ttl: TTL, proxied: false };
    await timed(() => apiCall(access(lab), "PUT", `zones/${zoneId}/dns_records/${id}`, body));
  }
  const row = rowOf("pulumi-standby", flip, began, 1, before);
  await look();
  await look();
  const calls = lab.requests().length - before;
  return { ...row, calls, virtualSeconds: Number(((clock.now() - began) / 1000).toFixed(1)) };
}

/** One A record a name, written as the provider does: eight at once, each tried ten times more, then the update fails. */
export async function perNameRow(flip: Flip): Promise<DnsRow> {
  const { lab, clock, zone, names } = flip;
  let pending = names.map((name) =>
    lab.setRecord(zone, { name, type: "A", content: "127.0.0.2", ttl: TTL }),
  );
  const began = clock.now();
  let runs = 0;
  while (pending.length > 0) {
    runs += 1;
    pending = await oneUpdate(flip, pending);
  }
  return rowOf("one record per name", flip, began, runs);
}

type Pending = ReturnType<CloudflareLab["setRecord"]>[];

async function oneUpdate({ lab, clock, zoneId }: Flip, pending: Pending): Promise<Pending> {
  const left = [...pending];
  while (left.length > 0) {
    const group = left.slice(0, WORKERS);
    let open = group;
    for (const wait of [0, ...RETRIES]) {
      if (open.length === 0) break;
      clock.advance(wait * 1000);
      open = await write(lab, zoneId, open);
      clock.advance(CALL_MS);
    }
    left.splice(0, WORKERS, ...open);
    if (open.length > 0) return left;
  }
  return left;
}

/** Writes at once; gives back what the limit refused. */
async function write(lab: CloudflareLab, zoneId: string, group: Pending): Promise<Pending> {
  const refused = await Promise.all(
    group.map(async ({ id, name }) => {
      const body = { name, type: "A", content: "127.0.0.3", ttl: TTL, proxied: false };
      try {
        await apiCall(access(lab), "PUT", `zones/${zoneId}/dns_records/${id}`, body);
        return false;
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 429) return true;
        throw error;
      }
    }),
  );
  return group.filter((_, n) => refused[n]);
}

/** What the emulator saw of it. */
export function rowOf(tool: string, flip: Flip, began: number, runs: number, skip = 0): DnsRow {
  const { lab, zone, names, clock } = flip;
  const requests = lab.requests().slice(skip);
  const moves = lab
    .history()
    .filter(({ source, after }) => source === "api" && after !== undefined && moved(after, zone))
    .map((change) => change.visibleMs - began);
  const last = Math.max(0, ...moves.slice(-1));
  const area = moves.reduce((sum, at) => sum + (last - at), 0);
  const seconds = (ms: number) => Number((ms / 1000).toFixed(1));
  return {
    tool,
    n: names.length,
    writes: requests.filter((one) => one.method !== "GET" && one.status === 200).length,
    calls: requests.length,
    virtualSeconds: seconds(clock.now() - began),
    lastNameMovedSeconds: seconds(last) + TTL,
    bothSitesNameSeconds: seconds(area),
    runs,
  };
}

function moved({ content }: { readonly content: string }, zone: string): boolean {
  return content === `site-b.${zone}` || content === "127.0.0.3";
}
