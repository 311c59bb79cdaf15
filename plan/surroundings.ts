import { z } from "zod";

/** What surrounds the pair at a site: facts that no transition is judged by. */
const text = z.string().optional();
export const surroundingsShape = {
  pair: text,
  senders: text,
  logical_slots: text,
  kept_names: text,
};
type Told = z.infer<z.ZodObject<typeof surroundingsShape>>;

/** A replication connection that is not the pair's own, as pg_stat_replication shows it. */
export interface Sender {
  readonly pid: string;
  readonly application: string;
  readonly user: string;
  /** Empty: by the socket. */
  readonly address: string;
  readonly slot: string | undefined;
  readonly type: "physical" | "logical" | undefined;
  readonly state: string;
}

export interface LogicalSlot {
  readonly name: string;
  readonly plugin: string;
  /** Meant to be kept in step at a standby (PostgreSQL 17). */
  readonly failover: boolean;
  /** Kept in step here, at a standby. */
  readonly synced: boolean;
}

export interface Surroundings {
  /** The addresses that the site was made ready for: own port and host, the peer's host and port. */
  readonly pair: string | undefined;
  readonly senders: readonly Sender[];
  readonly logicalSlots: readonly LogicalSlot[];
  /** What synchronous_standby_names was before the promotion emptied it; undefined where nothing waits to come back. */
  readonly keptNames: string | undefined;
}

export function surroundingsOf(facts: Told): Surroundings {
  return {
    pair: known(facts.pair),
    keptNames: known(facts.kept_names) && decoded(facts.kept_names ?? ""),
    senders: entries(facts.senders).map(sender),
    logicalSlots: entries(facts.logical_slots).map(
      ([name = "", plugin = "", failover, synced]) => ({
        ...{ name, plugin, failover: failover === "true", synced: synced === "true" },
      }),
    ),
  };
}

function sender(fields: readonly string[]): Sender {
  const [pid = "", application = "", user = "", address = "", slot, type, state = "-"] = fields;
  return {
    ...{ pid, application: decoded(application), user: decoded(user), address: decoded(address) },
    slot: known(slot),
    type: type === "physical" || type === "logical" ? type : undefined,
    state,
  };
}

/** Danger: a name may hold control characters, and it is printed. */
const decoded = (base64: string) =>
  Buffer.from(base64, "base64")
    .toString("utf8")
    .replaceAll(/\p{Cc}/gu, "?");

const entries = (list: string | undefined) =>
  known(list)
    ?.split(",")
    .map((entry) => entry.split(":")) ?? [];

const known = (value: string | undefined) =>
  value === undefined || value === "-" || value === "" ? undefined : value;
