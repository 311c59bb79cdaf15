import type { Knobs } from "./knobs";

/** Record types the API takes; the DNS side answers the first ten, the rest exist in the API only. */
export const recordTypes = [
  ...["A", "AAAA", "CNAME", "TXT", "MX", "NS", "SRV", "CAA", "PTR", "SPF"],
  ...["CERT", "DNSKEY", "DS", "HTTPS", "LOC", "NAPTR", "SMIMEA", "SSHFP", "SVCB", "TLSA", "URI"],
] as const;

/** What a client can say about a record, after normalisation. */
export interface RecordDraft {
  /** FQDN, lower case, no trailing dot. */
  readonly name: string;
  readonly type: string;
  /** Presentation form; TXT keeps the quotes it was sent with. */
  readonly content: string;
  /** Seconds; 1 = automatic (300 s in DNS). */
  readonly ttl: number;
  readonly proxied: boolean;
  readonly priority?: number;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, boolean>>;
  readonly comment: string | null;
  readonly tags: readonly string[];
}

/** One stored record; times are milliseconds since the epoch. */
export interface DnsRecordState extends RecordDraft {
  /** 32 hex digits. */
  readonly id: string;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly commentModifiedMs?: number;
  readonly tagsModifiedMs?: number;
}

const proxiableTypes = new Set(["A", "AAAA", "CNAME"]);

/** Whether the vendor's proxy could stand in front of a record of this type. */
export function isProxiable(type: string): boolean {
  return proxiableTypes.has(type);
}

/** A time as the API prints it: RFC 3339 with microseconds. */
export function stamp(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function settingsOf(record: RecordDraft, knob: Knobs["settings"]): object {
  const stored = record.settings;
  const said = Object.keys(stored).length > 0;
  switch (knob) {
    case "omit":
      return said ? { settings: stored } : {};
    case "empty":
      return { settings: stored };
    case "full": {
      const flags = { flatten_cname: false, ipv4_only: false, ipv6_only: false };
      return { settings: record.type === "CNAME" ? { ...flags, ...stored } : stored };
    }
    default:
      return unreachable(knob);
  }
}

/** The record as the API answers it. `zone_id` and `zone_name` are no longer part of it. */
export function wireRecord(
  record: DnsRecordState,
  knobs: Pick<Knobs, "settings">,
): Record<string, unknown> {
  return {
    id: record.id,
    name: record.name,
    type: record.type,
    content: record.content,
    ...(record.priority === undefined ? {} : { priority: record.priority }),
    ...(record.data === undefined ? {} : { data: record.data }),
    proxiable: isProxiable(record.type),
    proxied: record.proxied,
    ttl: record.ttl,
    ...settingsOf(record, knobs.settings),
    meta: {},
    comment: record.comment,
    tags: record.tags,
    created_on: stamp(record.createdMs),
    modified_on: stamp(record.modifiedMs),
    ...(record.commentModifiedMs === undefined
      ? {}
      : { comment_modified_on: stamp(record.commentModifiedMs) }),
    ...(record.tagsModifiedMs === undefined
      ? {}
      : { tags_modified_on: stamp(record.tagsModifiedMs) }),
  };
}

/** Ends an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
