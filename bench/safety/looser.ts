import type { Cluster } from "../../lab/postgres/cluster";

/**
 * The rules by which other tools let a standby take over. Asked on the same runs as our own proof, to show what it is for.
 * - `lsn`: what the standby received is at or beyond the start of the last checkpoint record
 * - `clean`: the control file says `shut down`
 * - `fields`: system, timeline, position, time and next transaction of the last checkpoint are equal on both sides
 */
export type LooserRule = "lsn" | "clean" | "fields";
export const LOOSER_RULES: readonly LooserRule[] = ["lsn", "clean", "fields"];

const FIELDS = [
  "Database system identifier",
  "Latest checkpoint location",
  "Latest checkpoint's TimeLineID",
  "Latest checkpoint's NextXID",
  "Time of latest checkpoint",
] as const;

/** What the old primary's control file said at the moment that the rule looks at. */
export type Claim = ReadonlyMap<string, string>;

/** The rules that would promote this standby now, going by what the old primary claims. */
export async function acceptedBy(claim: Claim, standby: Cluster): Promise<readonly LooserRule[]> {
  await standby.query("checkpoint");
  const own = await standby.controlData();
  const [row] = await standby.query<{ beyond: boolean }>(
    "select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) >= $1::pg_lsn as beyond",
    [claim.get("Latest checkpoint location") ?? "FFFFFFFF/FFFFFFFF"],
  );
  const verdicts: Readonly<Record<LooserRule, boolean>> = {
    lsn: row?.beyond === true,
    clean: claim.get("Database cluster state") === "shut down",
    fields: FIELDS.every((field) => own.get(field) === claim.get(field)),
  };
  return LOOSER_RULES.filter((rule) => verdicts[rule]);
}
