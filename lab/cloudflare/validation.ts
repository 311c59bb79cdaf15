import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { z } from "zod";
import { structuredContent } from "./content";
import type { Knobs } from "./knobs";
import { problems } from "./problems";
import { isProxiable, type DnsRecordState, type RecordDraft, recordTypes } from "./records";

/** The body of POST and PUT. Explicit nulls mean "not set", as the real provider sends them. */
export const recordFields = z.object({
  name: z.string(),
  type: z.enum(recordTypes),
  content: z.string().nullish(),
  ttl: z.number().int().nullish(),
  proxied: z.boolean().nullish(),
  priority: z.number().int().min(0).max(65535).nullish(),
  data: z.record(z.string(), z.unknown()).nullish(),
  settings: z.record(z.string(), z.boolean().nullable()).nullish(),
  comment: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
});
export type RecordFields = z.infer<typeof recordFields>;

/** The body of PATCH: any part of a record. */
export const recordPatch = recordFields.partial();

/** Parses a request body; what does not fit is the API's 400, never an exception of the emulator. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((i) => `${i.path.join(".") || "body"}: ${i.message}`);
  throw problems.body(issues.join("; "));
}

/** Checks and normalises what a client sent. Throws the ApiProblem that the live API would answer. */
export function draftOf(fields: RecordFields, zone: string, knobs: Knobs): RecordDraft {
  const name = fullName(fields.name, zone);
  const proxied = fields.proxied ?? false;
  if (proxied && !isProxiable(fields.type)) throw problems.proxied();
  const shape = structuredContent(fields.type, fields);
  return {
    name,
    type: fields.type,
    content: checkedContent(fields.type, shape.content, name, zone),
    // Coerced, not refused: a proxied record's TTL is always automatic.
    ttl: proxied ? 1 : checkedTtl(fields.ttl ?? 1, knobs.minTtl),
    proxied,
    ...(shape.priority === undefined ? {} : { priority: shape.priority }),
    ...(shape.data === undefined ? {} : { data: shape.data }),
    settings: withoutNulls(fields.settings ?? {}),
    comment: fields.comment || null,
    tags: fields.tags ?? [],
  };
}

/** The fields of an existing record with a patch laid over them. */
export function patched(record: DnsRecordState, patch: z.infer<typeof recordPatch>): RecordFields {
  const base = parseBody(recordFields, record);
  const said = Object.fromEntries(Object.entries(patch).filter(([, v]) => v !== undefined));
  // A new content makes the structured data of the old one worthless, unless both are sent.
  const data = patch.content != null && patch.data == null ? undefined : base.data;
  return { ...base, data, ...said };
}

/** Stored form of a name: FQDN inside the zone, lower case, no trailing dot; punycode is left alone. */
export function fullName(raw: string, zone: string): string {
  const bare = hostName(raw);
  if (bare === "@" || bare === zone) return zone;
  const name = bare.endsWith(`.${zone}`) ? bare : `${bare}.${zone}`;
  if (!isValidName(name)) throw problems.name();
  return name;
}

/** Lower case, ASCII, without the trailing dot. */
export function hostName(raw: string): string {
  const plain = /[^\x20-\x7e]/.test(raw) ? domainToASCII(raw) : raw;
  return plain.toLowerCase().replace(/\.$/, "");
}

function isValidName(name: string): boolean {
  const [first = "", ...rest] = name.split(".");
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
  return (
    name.length <= 253 && (first === "*" || label.test(first)) && rest.every((l) => label.test(l))
  );
}

function checkedTtl(ttl: number, least: number): number {
  if (ttl !== 1 && (ttl < least || ttl > 86400)) throw problems.ttl(least);
  return ttl;
}

function checkedContent(type: string, content: string, name: string, zone: string): string {
  switch (type) {
    case "A":
      if (!isIPv4(content)) throw problems.address4();
      return content;
    case "AAAA":
      if (!isIPv6(content) || content.includes("%")) throw problems.address6();
      return new URL(`http://[${content}]/`).hostname.slice(1, -1);
    case "CNAME":
    case "NS":
    case "MX":
    case "PTR":
      return checkedTarget(type, content, name, zone);
    default:
      if (content === "") throw problems.target(type);
      return content;
  }
}

function checkedTarget(type: string, content: string, name: string, zone: string): string {
  const target = content === "@" ? zone : hostName(content);
  if (isIPv4(target) || !isValidName(target) || target.startsWith("*")) throw problems.target(type);
  if (type === "CNAME" && target === name) throw problems.selfReference();
  return target;
}

function withoutNulls(settings: Record<string, boolean | null>): Record<string, boolean> {
  const kept: Record<string, boolean> = {};
  for (const [key, value] of Object.entries(settings)) if (value !== null) kept[key] = value;
  return kept;
}
