import { pivotName, siteName, witnessName, type Desired } from "../desired";
import { SITE_IDS, type SiteId } from "../terms";

/** The records a pair declares. Contents follow config and epoch alone, so that a preview can be held against them. */

/** What decides every declared record: part of the wish, small enough to be told in one line. */
export interface DnsShape {
  readonly ttl: number;
  readonly aliasTtl?: number | undefined;
  readonly siteTtl?: number | undefined;
  readonly proxied: boolean;
  /** Name of the witness record; it lies in the first zone. */
  readonly witness: string;
  readonly addresses: Readonly<
    Record<SiteId, { readonly v4: string; readonly v6?: string | undefined }>
  >;
  readonly zones: readonly { readonly zone: string; readonly hostnames: readonly string[] }[];
}

export function dnsShape(wish: Desired): DnsShape {
  const { ttl, aliasTtl, siteTtl, proxied, zones } = wish.dns;
  const addresses = { a: wish.sites.a.addresses, b: wish.sites.b.addresses };
  return { ttl, aliasTtl, siteTtl, proxied, witness: witnessName(wish), addresses, zones };
}

export const RECORD_ROLES = ["pivot", "witness", "site", "alias"] as const;
export type RecordRole = (typeof RECORD_ROLES)[number];

export interface DeclaredRecord {
  readonly zone: string;
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "TXT";
  readonly role: RecordRole;
  /** Every content that is right. Absent: it depends on the epoch and its signature (the witness). */
  readonly contents?: readonly string[];
  readonly ttl: number;
  readonly proxied: boolean;
}

/** What a name is to the pair; a name that it does not know is an alias or none of its own. */
export function roleOf(shape: Pick<DnsShape, "witness">, name: string, zone: string): RecordRole {
  if (name === pivotName(zone)) return "pivot";
  if (name === shape.witness) return "witness";
  return SITE_IDS.some((site) => siteName(site, zone) === name) ? "site" : "alias";
}

/**
 * TTL and proxy of a name. Danger: the apex is always flattened, so it carries an address and must be as short as the
 * pivot; `aliasTtl` is for aliases that are answered as CNAME. Only hostnames are proxied: machines look up the rest.
 */
export function recordSettings(
  shape: Omit<DnsShape, "zones" | "addresses">,
  name: string,
  zone: string,
): { readonly ttl: number; readonly proxied: boolean } {
  const role = roleOf(shape, name, zone);
  if (role === "site") return { ttl: shape.siteTtl ?? shape.ttl, proxied: false };
  if (role !== "alias") return { ttl: shape.ttl, proxied: false };
  if (shape.proxied) return { ttl: 1, proxied: true };
  return { ttl: name === zone ? shape.ttl : (shape.aliasTtl ?? shape.ttl), proxied: false };
}

/** Every record of the pair, zone by zone. */
export function declaredRecords(shape: DnsShape): readonly DeclaredRecord[] {
  return shape.zones.flatMap(({ zone, hostnames }, index) => {
    const record = (
      name: string,
      type: DeclaredRecord["type"],
      contents?: readonly string[],
    ): DeclaredRecord => ({
      ...{ zone, name, type, role: roleOf(shape, name, zone) },
      ...(contents === undefined ? {} : { contents }),
      ...recordSettings(shape, name, zone),
    });
    return [
      ...(index === 0 ? [record(shape.witness, "TXT")] : []),
      record(
        pivotName(zone),
        "CNAME",
        SITE_IDS.map((site) => siteName(site, zone)),
      ),
      ...SITE_IDS.flatMap((site) => {
        const { v4, v6 } = shape.addresses[site];
        const at = siteName(site, zone);
        return [record(at, "A", [v4]), ...(v6 === undefined ? [] : [record(at, "AAAA", [v6])])];
      }),
      ...hostnames.map((name) => record(name, "CNAME", [pivotName(zone)])),
    ];
  });
}
