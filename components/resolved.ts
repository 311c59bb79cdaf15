import { authoritativeServers } from "../sites/nameServers";
import { given, list, plain, type Plain } from "./given";

/** What the arguments say once every output among them has been waited for. */
export interface Resolved {
  /** Authoritative servers: the given ones, or those that were found. */
  readonly servers: unknown;
  readonly witnessKey: Plain;
  /** One a zone, in order. */
  readonly zoneIds: readonly Plain[];
}

/** Waits for outputs and asks for the zone's servers. Rejects only with what an output failed with. */
export async function resolved(args: unknown): Promise<Resolved> {
  const dns = given(given(given(args).dns).cloudflare);
  const zones = list(dns.zones).map(given);
  const zone = zones[0]?.zone;
  const [witnessKey, found, zoneIds] = await Promise.all([
    plain(given(args).witnessKey),
    dns.servers === undefined && typeof zone === "string" ? authoritativeServers(zone) : undefined,
    Promise.all(zones.map((one) => plain(one.zoneId))),
  ]);
  return { witnessKey, servers: dns.servers ?? found ?? [], zoneIds };
}
