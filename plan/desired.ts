import { z } from "zod";
import { inconsistencies } from "./consistency";
import { followersSchema } from "./followers";
import { otherSite, SITE_IDS, type SiteId } from "./terms";

/**
 * The wish: what config and program ask for, parsed once at the door and trusted inside.
 * Shell text is data here: transports and scripts are read by sites/ and handed in.
 */

// Nothing that reaches a site's input lines may hold a line break or another control character.
const line = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\p{Cc}]*$/u, "must be one line without control characters");
const path = line.regex(/^\/[A-Za-z0-9._/-]*$/, "must be an absolute path of plain characters");
const word = line.regex(/^[A-Za-z0-9._-]+$/, "must be made of letters, digits, '.', '_' and '-'");
const identifier = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a lower-case SQL identifier");
const hostname = z
  .string()
  .regex(
    /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "must be a lower-case DNS name without a trailing dot",
  );
const server = line.regex(/^[0-9a-fA-F.:]+(#[0-9]+)?$/, "must be ADDRESS or ADDRESS#PORT");
const seconds = z.number().positive().max(86_400);
const port = z.number().int().min(1).max(65_535);

/** Seconds of a guard's bound that are not its settings': two rounds of questions (3) and the shortest stop (1). */
const GUARD_REST = 4;

/** PostgreSQL at one site. */
export const postgresSchema = z.strictObject({
  dataDirectory: path,
  port: port.default(5432),
  host: line,
  superuser: identifier.default("postgres"),
  replicationUser: identifier.default("standby_replication"),
  database: identifier.default("postgres"),
  socketDirectory: path.default("/var/run/postgresql"),
  binDirectory: path.optional(),
  configFile: path.optional(),
  stopSeconds: seconds.default(10),
  deltaSlot: identifier.optional(),
  slotKeep: z
    .string()
    .regex(/^[0-9]+(MB|GB|TB)$/, "must be a size such as 4GB")
    .default("4GB"),
  followers: followersSchema.default([]),
});
export type PostgresSettings = z.infer<typeof postgresSchema>;

const siteSchema = z.strictObject({
  provider: word,
  region: word,
  addresses: z.strictObject({ v4: z.ipv4(), v6: z.ipv6().optional() }),
  stateDirectory: path,
  database: postgresSchema,
  /** How to enter the site: the body of a shell function that runs "$1" there, its standard input attached. */
  enter: z.string().min(1),
  /** The same for a person: what to type before a command to run it at the site. */
  enterLine: z.string().min(1),
});

/** One service of the application, as the shell commands that a person would type at the site. */
export const serviceSchema = z.strictObject({
  name: word,
  kind: z.enum(["web", "worker"]),
  wave: z.number().int().min(1).max(99).default(1),
  start: line,
  stop: line,
  healthy: line,
});

const zoneSchema = z.strictObject({
  zone: hostname,
  hostnames: z.array(hostname).min(1),
  keep: z.array(hostname).default([]),
});

// Answered with an address instead of an alias, or looked up by nothing but the pivot: these may be remembered longer.
const steadyTtl = z.number().int().min(30).max(86_400).optional();

const epochNumber = z.number().int().min(1);

export const desiredSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "must be a short lower-case name, such as shop"),
  activeSite: z.enum(SITE_IDS),
  sites: z.strictObject({ a: siteSchema, b: siteSchema }),
  services: z.array(serviceSchema).max(500).default([]),
  maintenance: z.strictObject({ on: line, off: line }).optional(),
  dns: z.strictObject({
    zones: z.array(zoneSchema).min(1),
    ttl: z
      .number()
      .int()
      .min(30, "below 30 is refused by Cloudflare (60 on most plans)")
      .max(300, "a flip waits for it: at most 300 seconds")
      .default(60),
    aliasTtl: steadyTtl,
    siteTtl: steadyTtl,
    proxied: z.boolean().default(false),
    servers: z.array(server),
    resolvers: z.array(server).default([]),
    watchSeconds: z.number().min(0).max(3600).optional(),
  }),
  guard: z
    .strictObject({
      bound: seconds.default(30),
      isolation: z.enum(["either", "lease", "keep"]).default("either"),
      after: seconds.min(1).default(12),
      poll: seconds.min(0.2).max(60).default(2),
    })
    .refine(({ bound, after, poll }) => bound >= after + poll + GUARD_REST, {
      path: ["bound"],
      message: `must be at least guard.after + guard.poll + ${GUARD_REST} s, for asking and for the stop`,
    })
    .prefault({}),
  limits: z
    .strictObject({
      lagBytes: z
        .number()
        .int()
        .positive()
        .default(16 * 1024 * 1024),
      stepSeconds: seconds.default(60),
      sequenceLeap: z.number().int().min(0).max(1_000_000_000).default(10_000),
    })
    .prefault({}),
  /** Public halves of the witness keys: id and base64 of the raw 32 bytes. */
  witnessKeys: z
    .array(
      z.strictObject({
        id: word,
        raw: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, "32 raw bytes in base64 are needed"),
      }),
    )
    .min(1)
    .max(2),
  acceptLoss: epochNumber.optional(),
  acceptUnproven: epochNumber.optional(),
  discardDelta: epochNumber.optional(),
  /** The guards are about to be removed, so nothing puts them back. */
  release: z.boolean().default(false),
  approvedPlan: z
    .string()
    .regex(/^[0-9]+-[0-9a-f]{12}$/, "must be a plan digest as preview prints it, EPOCH-HASH")
    .optional(),
  observe: z.enum(["ssh", "none"]).default("ssh"),
});

export type Desired = z.infer<typeof desiredSchema>;
export type DesiredSite = Desired["sites"]["a"];

/** The record names of a zone. The first zone holds the witness. */
export function pivotName(zone: string): string {
  return `active.${zone}`;
}
export function siteName(site: SiteId, zone: string): string {
  return `site-${site}.${zone}`;
}
/** Claims on epochs lie below this name; every one is an alias of the runner that made it. */
export function claimName(epoch: number, zone: string): string {
  return `e${epoch}._standby.${zone}`;
}
export function witnessName(wish: Desired): string {
  return `_standby-${wish.name}.${firstZone(wish)}`;
}
export function firstZone(wish: Desired): string {
  const zone = wish.dns.zones[0];
  if (zone === undefined) throw new Error("dns.zones: at least one zone");
  return zone.zone;
}

/** Names that are looked up to see where clients are led: some of each zone, or its pivot where a proxy answers for them. */
export function askedNames({ dns }: Desired): readonly string[] {
  return dns.zones.flatMap(({ zone, hostnames }) =>
    dns.proxied ? [pivotName(zone)] : hostnames.slice(0, 20),
  );
}

/** One thing that is wrong with the input, ready to print. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Parses the wish; every issue is collected, none is thrown one by one. */
export function parseDesired(
  input: unknown,
): { readonly wish: Desired } | { readonly issues: readonly Issue[] } {
  const result = desiredSchema.safeParse(input);
  const between = inconsistencies(input);
  if (result.success && between.length === 0) return { wish: result.data };
  return { issues: [...(result.success ? [] : issuesOf(result.error, input)), ...between] };
}

/** What a schema found, in the words of this house: a path, the value, what it should be. */
export function issuesOf(error: z.ZodError, input: unknown): readonly Issue[] {
  return error.issues.flatMap((issue) => describe(issue, input));
}

function describe(issue: z.core.$ZodIssue, input: unknown): readonly Issue[] {
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [path, key].filter((part) => part !== "").join("."),
      message: "unknown key; remove it or correct its spelling",
    }));
  }
  const value = issue.path.reduce<unknown>(
    (at, key) =>
      typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
  if (value === undefined) return [{ path, message: `missing: ${needed(issue)}` }];
  return [{ path, message: `${shown(value)}: ${issue.message}` }];
}

const needed = (issue: z.core.$ZodIssue): string =>
  issue.code === "invalid_type" ? `a value of type ${issue.expected} is needed` : issue.message;

/** Danger: a key pasted into the wrong place must not be printed, so what is long or has several lines is not shown. */
function shown(value: unknown): string {
  if (typeof value === "string" && (value.length > 80 || value.includes("\n"))) {
    return `a text of ${value.length} characters`;
  }
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : JSON.stringify(value);
}

/** Both sites, wish first. */
export function sitesFrom(wish: Desired): readonly [SiteId, SiteId] {
  return [wish.activeSite, otherSite(wish.activeSite)];
}
