import * as pulumi from "@pulumi/pulumi";
import { DnsRecord } from "@pulumi/cloudflare/dnsRecord";
import type { Provider } from "@pulumi/cloudflare/provider";
import { plain } from "../given";
import type { Dns, RecordWish } from "./dns";

/** Where an application's names live at Cloudflare. */
export interface CloudflareArgs {
  /** The zones, each with the names that clients use. The first zone also holds the witness. */
  zones: readonly CloudflareZoneArgs[];
  /** Seconds a resolver may keep the pivot. A flip waits for it, so at most 300. @default 60 */
  ttl?: number;
  /** Whether hostnames go through Cloudflare's proxy. The proxy ignores the TTL. @default false */
  proxied?: boolean;
  /** The zone's authoritative servers as ADDRESS or ADDRESS#PORT, so that no resolver is needed on the day. @default the zone's NS */
  servers?: readonly string[];
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
}

const API_MS = 5000;

/** Cloudflare as the DNS vendor. */
export function cloudflare(args: CloudflareArgs, ttl: number): Dns {
  const zoneId = (zone: string) => {
    const found = args.zones.find((one) => one.zone === zone);
    if (found === undefined) throw new Error(`zone ${zone} is not declared`);
    return found.zoneId;
  };
  return {
    record: (name, record, options) =>
      new DnsRecord(name, recordArgs(record, zoneId(record.zone), ttl, args.proxied ?? false), {
        ...options,
        ...(args.provider === undefined ? {} : { provider: args.provider }),
      }),
    writable: () => writable(args),
  };
}

// ttl and proxied are explicit and settings and tags left out: the provider shows endless differences otherwise (last
// verified 2026-11 on cloudflare 6.17.0). Only hostnames may be proxied: pivots and sites are looked up by machines.
function recordArgs(
  record: RecordWish,
  zoneId: pulumi.Input<string>,
  ttl: number,
  proxied: boolean,
) {
  const machine = /^(active|site-[ab]|_standby-[a-z0-9-]+)\./.test(record.name);
  return {
    zoneId,
    name: record.name,
    type: record.type,
    content: record.type === "TXT" ? `"${record.content}"` : record.content,
    ttl: proxied && !machine ? 1 : ttl,
    proxied: proxied && !machine,
  };
}

// Errors end in the reason, never in an exception: a DNS vendor that is down must not stop a fail-over.
async function writable(args: CloudflareArgs): Promise<{ ok: true } | { ok: false; why: string }> {
  const config = new pulumi.Config("cloudflare");
  const token = config.get("apiToken") ?? process.env.CLOUDFLARE_API_TOKEN;
  if (token === undefined) {
    // An explicit provider may hold a token that the program cannot read; then the records themselves will tell.
    return args.provider === undefined
      ? { ok: false, why: "no API token; pulumi config set --secret cloudflare:apiToken" }
      : { ok: true };
  }
  const base =
    config.get("baseUrl") ??
    process.env.CLOUDFLARE_BASE_URL ??
    "https://api.cloudflare.com/client/v4";
  const zone = args.zones[0];
  if (zone === undefined) return { ok: false, why: "no zone" };
  const id = await plain(zone.zoneId);
  // A zone that this update makes: the records' own resources will tell.
  if (!id.known) return { ok: true };
  try {
    const answer = await fetch(
      `${base.replace(/\/$/, "")}/zones/${String(id.value)}/dns_records?per_page=1`,
      {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(API_MS),
      },
    );
    const body = (await answer.json()) as {
      success?: boolean;
      errors?: { code: number; message: string }[];
    };
    if (answer.ok && body.success === true) return { ok: true };
    const first = body.errors?.[0];
    return {
      ok: false,
      why: `the API answered ${answer.status} ${first === undefined ? "" : `${first.code} ${first.message}`}`.trim(),
    };
  } catch (error) {
    return {
      ok: false,
      why: `the API did not answer (${error instanceof Error ? error.message : String(error)})`,
    };
  }
}
