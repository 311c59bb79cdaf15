import { z } from "zod";
import type { Finding } from "./dns/zone";
import { count, flag, maybe, text } from "./fields";
import { groundSchema, type Ground } from "./ground";
import { surroundingsOf, surroundingsShape } from "./surroundings";
import { KINDS, ROLES, SITE_IDS, type EpochRecord, type SiteId } from "./terms";
import { unreadable, type SiteAway } from "./unreadable";

/**
 * What was seen: facts that the sites and the DNS servers themselves gave, read just before the plan.
 * A site that did not answer is `unknown`, never `down`.
 */

// The file holds "EPOCH TIMELINE"; a fact's spaces are underscores. Danger: junk must not read as "never promoted".
const promotion = text.transform((value, context) => {
  if (value === undefined) return 0;
  const epoch = /^([0-9]+)(_[0-9]*)?$/.exec(value)?.[1];
  if (epoch !== undefined) return Number(epoch);
  context.addIssue({ code: "custom", message: `not an epoch and a timeline: ${value}` });
  return z.NEVER;
});
// A fact's spaces are underscores.
const firstWord = text.transform((value) => value?.split("_")[0]);
const siteFactsSchema = z
  .object({
    clock: count,
    version: count,
    programs: count,
    missing: text,
    role: z.enum(ROLES),
    signal: flag,
    held: flag,
    recovery_at: text,
    recovery_of: text,
    control_state: text,
    system_identifier: text,
    timeline: count,
    lsn: text,
    receive_lsn: text,
    fork: text,
    streaming: flag,
    upstream: text,
    lag_bytes: count,
    paused: flag,
    apply_delay: text,
    foreign_senders: count,
    other_slots: count,
    record_epoch: count,
    record_from: maybe(SITE_IDS),
    record_to: maybe(SITE_IDS),
    record_kind: maybe(KINDS),
    settled: count,
    promoted: promotion,
    run: text,
    prepared: text,
    ...surroundingsShape,
    maintenance: flag,
    guard: text,
    guard_running: text,
    guard_supervised: flag,
    guard_isolation: text,
    peer_guard: text,
    unit: text,
    owner: text,
    units: text,
    start_conf: text,
    obeyed: count,
    delta: text,
    applied: text,
    rejoin: text,
    beyond: firstWord,
    leap: firstWord,
    data_size: count,
    quarantine: flag,
    async_overrides: count,
    leftovers: text,
    prepared_transactions: count,
  })
  .superRefine((facts, context) => {
    const { record_epoch: epoch, record_from: from, record_to: to, record_kind: kind } = facts;
    const known = [epoch, from, to, kind].filter((one) => one !== undefined).length;
    // Danger: a record that cannot be read must not pass for no record at all.
    if (known === 0 || (known === 4 && from !== to)) return;
    context.addIssue({
      code: "custom",
      path: ["record"],
      message: `not a whole record: epoch=${epoch} from=${from} to=${to} kind=${kind}`,
    });
  })
  .transform((facts) => ({
    role: facts.role,
    clock: facts.clock,
    version: facts.version,
    programs: facts.programs,
    missing: facts.missing?.split(",") ?? [],
    signal: facts.signal,
    /** The guard itself placed the signal, at a site that was the primary. */
    held: facts.held,
    /** How far a server that is starting has recovered, and about how far it must: positions. */
    recoveryAt: facts.recovery_at,
    recoveryOf: facts.recovery_of,
    controlState: facts.control_state,
    systemIdentifier: facts.system_identifier,
    timeline: facts.timeline,
    lsn: facts.lsn,
    receiveLsn: facts.receive_lsn,
    fork: facts.fork,
    streaming: facts.streaming,
    upstream: facts.upstream,
    lagBytes: facts.lag_bytes,
    paused: facts.paused,
    applyDelay: facts.apply_delay,
    foreignSenders: facts.foreign_senders ?? 0,
    record: recordOf(facts),
    settled: facts.settled ?? 0,
    promoted: facts.promoted,
    run: facts.run,
    prepared: facts.prepared,
    ...surroundingsOf(facts),
    maintenance: facts.maintenance,
    guard: facts.guard,
    ...supervisionOf(facts),
    peerGuard: peerGuardOf(facts.peer_guard),
    obeyed: facts.obeyed ?? 0,
    // "EPOCH FORK END SHA256" of the last export.
    delta: facts.delta?.split("_"),
    /** Hash of the export that was last applied here. */
    applied: facts.applied,
    /** What is under way with the data folder: `rewind`, `reseed`, `ready` or `recover`, and more. */
    rejoin: facts.rejoin,
    // The epoch whose promotion has still to let sequences leap; up to where this standby has replayed what its primary does not have.
    ...{ leap: facts.leap, beyond: facts.beyond },
    /** Bytes of all databases; only a primary that nobody follows says it. */
    dataSize: facts.data_size,
    quarantine: facts.quarantine,
    asyncOverrides: facts.async_overrides ?? 0,
    leftovers: facts.leftovers?.split(",") ?? [],
    preparedTransactions: facts.prepared_transactions ?? 0,
  }));

function supervisionOf(facts: {
  readonly guard_running?: string | undefined;
  readonly guard_supervised: boolean;
  readonly guard_isolation?: string | undefined;
  readonly unit?: string | undefined;
  readonly owner?: string | undefined;
  readonly units?: string | undefined;
  readonly start_conf?: string | undefined;
}) {
  return {
    guardRunning: facts.guard_running === "yes",
    guardSupervised: facts.guard_supervised,
    guardIsolation: facts.guard_isolation,
    /** The systemd unit that shall own PostgreSQL; absent where there is no systemd. */
    unit: facts.unit,
    /** Where the running server lives: `unit`, `session` or `other`. */
    owner: facts.owner,
    /** Whether the guard's units are as it wrote them: `same`, `differ` or `missing`. */
    units: facts.units,
    /** Debian's start.conf of the cluster. */
    startConf: facts.start_conf,
  };
}

/** What the other site's guard last said of itself while that site was the primary of `epoch`. */
export interface PeerGuard {
  readonly epoch: number;
  readonly supervised: boolean;
  readonly isolation: string;
  /** It has held a lease since its site became the primary, so it fences that site when it holds none. */
  readonly armed: boolean;
  /** Milliseconds in which it has done so. */
  readonly bound: number;
}

// "EPOCH SUPERVISED/ISOLATION/ARMED/BOUND"; a fact's spaces are underscores.
function peerGuardOf(fact: string | undefined): PeerGuard | undefined {
  const match = /^(\d+)_(yes|no)\/([a-z]+)\/(yes|no)\/(\d+)$/.exec(fact ?? "");
  if (match === null) return undefined;
  const [, epoch, supervised, isolation = "", armed, bound] = match;
  return {
    ...{ epoch: Number(epoch), supervised: supervised === "yes", isolation },
    ...{ armed: armed === "yes", bound: Number(bound) },
  };
}

function recordOf(facts: {
  record_epoch?: number | undefined;
  record_from?: SiteId | undefined;
  record_to?: SiteId | undefined;
  record_kind?: EpochRecord["kind"] | undefined;
}): EpochRecord | undefined {
  const { record_epoch: epoch, record_from: from, record_to: to, record_kind: kind } = facts;
  return epoch === undefined || from === undefined || to === undefined || kind === undefined
    ? undefined
    : { epoch, from, to, kind };
}

/** Facts of a site that answered. Positions are LSN text; `settings` are PostgreSQL's own. */
export type SiteFacts = z.infer<typeof siteFactsSchema> & {
  readonly reach: "up";
  readonly settings: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, "running" | "stopped">>;
  /** What the login shell printed around the facts; the runner says it, not the site. */
  readonly noise: string | undefined;
  /** Of the host itself. */
  readonly ground: Ground;
};

/** A site, as it was seen. */
export type SiteObserved = SiteFacts | SiteAway;

/** The witness as the authoritative servers answer it. `unknown`: no server answered, which is never "no witness". */
export type WitnessObserved =
  | { readonly status: "valid"; readonly record: EpochRecord }
  | { readonly status: "absent" }
  | { readonly status: "ignored"; readonly why: string }
  | { readonly status: "unknown"; readonly why: string };

/** A pivot as the authoritative servers answer it. */
export type PivotObserved =
  | { readonly status: "site"; readonly site: SiteId }
  | { readonly status: "other"; readonly content: string }
  | { readonly status: "absent" }
  | { readonly status: "unknown"; readonly why: string };

export interface DnsObserved {
  readonly witness: WitnessObserved;
  /** One per zone, in the order of the wish. */
  readonly pivots: readonly PivotObserved[];
  /** Whether records can be written now: the API answered a read with this token. */
  readonly writable: boolean;
  readonly why?: string;
  /** What a list of the live zones found wrong. Absent: they were not listed. */
  readonly findings?: readonly Finding[];
}

export interface Observed {
  readonly sites: Readonly<Record<SiteId, SiteObserved>>;
  readonly dns: DnsObserved;
}

/** What the observe verb said: facts, or why it cannot tell. Throws as {@link parseSiteFacts} does. */
export function siteObserved(lines: string): SiteObserved {
  const facts = parseFacts(lines);
  return facts["role"] === "unreadable" ? unreadable(facts) : parseSiteFacts(lines);
}

/** Parses the `key=value` lines of the observe verb. Throws with the keys that could not be read. */
export function parseSiteFacts(lines: string): SiteFacts {
  const facts = parseFacts(lines);
  const parsed = siteFactsSchema.safeParse(facts);
  const ground = groundSchema.safeParse(facts);
  if (!parsed.success || !ground.success) {
    const issues = [parsed, ground].flatMap((one) => one.error?.issues ?? []);
    throw new Error(issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const under = (prefix: string) =>
    Object.fromEntries(
      Object.entries(facts)
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => [key.slice(prefix.length), value]),
    );
  const services = Object.fromEntries(
    Object.entries(under("service.")).map(([name, state]) => [
      name,
      state === "running" ? ("running" as const) : ("stopped" as const),
    ]),
  );
  const [noise] = Object.values(under("noise."));
  return {
    ...parsed.data,
    reach: "up",
    settings: under("set."),
    services,
    noise,
    ground: ground.data,
  };
}

/** `key=value` lines as a record; lines of another shape are not facts and are left out. */
export function parseFacts(lines: string): Record<string, string> {
  const facts: Record<string, string> = {};
  for (const one of lines.split("\n")) {
    const match = /^([a-z][A-Za-z0-9_.-]*)=(.*)$/.exec(one.trim());
    if (match?.[1] !== undefined) facts[match[1]] = match[2] ?? "";
  }
  return facts;
}
