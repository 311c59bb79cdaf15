import * as pulumi from "@pulumi/pulumi";
import { DnsRecord } from "@pulumi/cloudflare/dnsRecord";
import type { Provider } from "@pulumi/cloudflare/provider";
import { pivotName, type Desired } from "../../plan/desired";
import { declaredRecords, dnsShape, recordSettings } from "../../plan/dns/records";
import type { DnsSurvey } from "../../plan/dns/intent";
import { findingsOf } from "../../plan/dns/zone";
import { listZone, messageOf } from "../../sites/cloudflareApi";
import { plain } from "../given";
import { apiAccess } from "./access";
import type { Dns, RecordWish, Survey } from "./dns";
import { claim, hold, reread, unclaim } from "./watch";

/** Where an application's names live at Cloudflare. */
export interface CloudflareArgs {
  /** The zones, each with the names that clients use. The first zone also holds the witness. */
  zones: readonly CloudflareZoneArgs[];
  /** Seconds a resolver may keep the pivot. A flip waits for it, so at most 300. @default 60 */
  ttl?: number;
  /**
   * Seconds a resolver may keep a hostname's alias to the pivot, which a flip does not change; the apex keeps `ttl`.
   * Danger: where the vendor answers an in-zone alias with the address (flattening), a flip waits for this as well; leave it
   * out until `dig +norecurse` at the zone's server shows a CNAME. @default ttl
   */
  aliasTtl?: number;
  /** Seconds a resolver may keep the addresses of site-a and site-b. They change only when a site moves. @default ttl */
  siteTtl?: number;
  /** Whether hostnames go through Cloudflare's proxy. The proxy ignores the TTL. @default false */
  proxied?: boolean;
  /** The zone's authoritative servers as ADDRESS or ADDRESS#PORT, so that no resolver is needed on the day. @default the zone's NS */
  servers?: readonly string[];
  /** Public resolvers to ask as well after an update, as ADDRESS or ADDRESS#PORT. @default none */
  resolvers?: readonly string[];
  /**
   * Seconds for which an update that wrote a pivot stays to see whether a late write of another runner follows. Everything
   * is done by then; ending it early loses that look alone. @default ttl
   */
  watchSeconds?: number;
  /** Explicit provider. @default the one that `cloudflare:apiToken` or CLOUDFLARE_API_TOKEN configures */
  provider?: Provider;
}

/** One zone and the names in it that move with the active site. */
export interface CloudflareZoneArgs {
  /** Zone name, lower case, such as `example.com`. */
  zone: string;
  /** Cloudflare's 32 hex digits of the zone. */
  zoneId: pulumi.Input<string>;
  /** Full names that clients use; each becomes an alias of the pivot `active.<zone>`. */
  hostnames: readonly string[];
  /**
   * Full names in this zone that must not move: targets of MX, NS and SRV records, which must not be aliases, and names of
   * one site's own. They are never made, adopted or changed. @default none
   */
  keep?: readonly string[];
}

/** Cloudflare as the DNS vendor. */
export function cloudflare(args: CloudflareArgs, wish: Desired): Dns {
  const zoneId = (zone: string) => {
    const found = args.zones.find((one) => one.zone === zone);
    if (found === undefined) throw new Error(`zone ${zone} is not declared`);
    return found.zoneId;
  };
  return {
    record: (name, record, options) =>
      new DnsRecord(name, recordArgs(record, zoneId(record.zone), wish), {
        ...options,
        ...(args.provider === undefined ? {} : { provider: args.provider }),
      }),
    survey: () => survey(args, wish),
    claim: (plan, id) => claim(args, wish, plan, id),
    unclaim: () => unclaim(args, wish),
    reread: (plan, act) => reread(args, plan, act),
    hold: (plan, when) => hold(args, plan, when),
  };
}

// ttl and proxied are explicit and settings and tags left out: the provider shows endless differences otherwise (last
// verified 2026-11 on cloudflare 6.17.0).
function recordArgs(record: RecordWish, zoneId: pulumi.Input<string>, wish: Desired) {
  return {
    zoneId,
    name: record.name,
    type: record.type,
    content: record.type === "TXT" ? pulumi.interpolate`"${record.content}"` : record.content,
    ...recordSettings(dnsShape(wish), record.name, record.zone),
  };
}

// Errors end in the reason, never in an exception: a DNS vendor that is down must not stop a fail-over.
async function survey(args: CloudflareArgs, wish: Desired): Promise<Survey> {
  const access = apiAccess();
  if (access === undefined) {
    // An explicit provider may hold a token that the program cannot read; then the records themselves will tell.
    return args.provider === undefined
      ? { ok: false, why: "no API token; pulumi config set --secret cloudflare:apiToken" }
      : { ok: true };
  }
  const ids = await Promise.all(
    args.zones.map(async ({ zone, zoneId }) => ({ zone, id: await plain(zoneId) })),
  );
  // A zone that this update makes: the records' own resources will tell.
  const known = ids.flatMap(({ zone, id }) => (id.known ? [{ zone, id: String(id.value) }] : []));
  if (known.length < ids.length) return { ok: true };
  try {
    const listed = await Promise.all(known.map(({ zone, id }) => listZone(access, zone, id)));
    return { ok: true, list: surveyOf(listed, wish) };
  } catch (error) {
    return { ok: false, why: messageOf(error) };
  }
}

function surveyOf(
  listed: readonly Awaited<ReturnType<typeof listZone>>[],
  wish: Desired,
): DnsSurvey {
  const quota = listed.flatMap((one) => (one.quota === undefined ? [] : [one.quota.left]));
  const pivots = listed.flatMap(({ zone, records }) => {
    const pivot = records.find((one) => one.type === "CNAME" && one.name === pivotName(zone));
    return pivot === undefined ? [] : [[zone, pivot.id] as const];
  });
  return {
    calls: listed.reduce((sum, one) => sum + one.calls, 0),
    records: listed.reduce((sum, one) => sum + one.records.length, 0),
    ...(quota.length === 0 ? {} : { quota: Math.min(...quota) }),
    findings: findingsOf(declaredRecords(dnsShape(wish)), listed),
    pivotIds: Object.fromEntries(pivots),
  };
}
