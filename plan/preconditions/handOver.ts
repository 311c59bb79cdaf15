import type { SiteFacts } from "../observed";
import type { Context } from "../phases/context";
import type { Refusal } from "../step";
import type { SiteId } from "../terms";
import { strangers } from "../followers";
import { factsOf } from "../newest";

/** What a switchover asks of the pair before anything is stopped. */

/** One precondition: nothing when it holds, else one refusal. */
export const fits = (
  ok: boolean,
  code: string,
  what: string,
  hint: string,
  later = false,
): readonly Refusal[] => (ok ? [] : [{ code, what, hint, ...(later ? { later } : {}) }]);

/** All that is wrong with handing over now. */
export function handOver(context: Context): readonly Refusal[] {
  const left = factsOf(context.left);
  const here = factsOf(context.here);
  if (left === undefined || here === undefined) return [];
  return [
    ...(here.role === "absent" ? [] : pairFits(context, left, here)),
    ...standbyReady(context, left, here),
    ...settingsFit(context, left, here),
  ];
}

function pairFits(context: Context, left: SiteFacts, here: SiteFacts): readonly Refusal[] {
  const { to, from } = context;
  return [
    ...fits(
      left.systemIdentifier === here.systemIdentifier,
      "system-identifier",
      `site ${to}: system identifier ${String(here.systemIdentifier)} is not site ${from}'s ${String(left.systemIdentifier)}; it is a standby of something else`,
      `move the data directory of site ${to} aside and run pulumi up with activeSite ${from}, which seeds it.`,
    ),
    ...fits(
      left.version === here.version,
      "versions",
      `site ${to} runs PostgreSQL ${String(here.version)}, site ${from} ${String(left.version)}`,
      "a physical standby needs the same major version at both sites.",
    ),
    ...fits(
      Math.abs((left.clock ?? 0) - (here.clock ?? 0)) < 60_000,
      "clocks",
      `the clocks of sites a and b are ${Math.round(Math.abs((left.clock ?? 0) - (here.clock ?? 0)) / 1000)} s apart`,
      "set both clocks (chrony or systemd-timesyncd): reports and certificates depend on them.",
    ),
  ];
}

function standbyReady(context: Context, left: SiteFacts, here: SiteFacts): readonly Refusal[] {
  const { to, from, wish } = context;
  const lag = left.lagBytes ?? 0;
  const delay = here.applyDelay ?? "0";
  return [
    ...fits(
      here.role === "standby" || here.role === "down" || here.rejoin !== undefined,
      "not-a-standby",
      `site ${to}: the database is ${here.role}, not a standby`,
      `look at its log; to seed it anew, move its data directory aside and run pulumi up with activeSite ${from}.`,
    ),
    ...fits(
      !here.paused,
      "paused",
      `site ${to}: replay is paused at ${String(here.lsn)}`,
      pausedHint(to, left, here),
    ),
    ...fits(
      delay === "0" || delay === "",
      "apply-delay",
      `site ${to}: recovery_min_apply_delay is ${delay}`,
      `set it to 0 at site ${to} (ALTER SYSTEM SET recovery_min_apply_delay = 0; SELECT pg_reload_conf()).`,
    ),
    ...fits(
      lag <= wish.limits.lagBytes,
      "lag",
      `site ${to} is ${lag} bytes behind site ${from}, over the limit of ${wish.limits.lagBytes}`,
      "wait for it to catch up and run pulumi up again, or raise limits.lagBytes.",
      true,
    ),
    ...strangers(wish, from, left),
  ];
}

// Replay pauses by itself when one of these was raised on the primary only; resuming it would then stop the standby.
const HOT_STANDBY = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;

/** What a standby has less of than its primary, for which it pauses its replay or does not start. */
export function lowerThan(
  standby: SiteFacts,
  primary: SiteFacts,
): readonly { readonly name: string; readonly is: string; readonly wanted: string }[] {
  return HOT_STANDBY.map((name) => ({
    ...{ name, is: standby.settings[name] ?? "", wanted: primary.settings[name] ?? "" },
  })).filter(({ is, wanted }) => Number(is) < Number(wanted));
}

function pausedHint(to: SiteId, left: SiteFacts, here: SiteFacts): string {
  const low = lowerThan(here, left).map(({ name }) => name);
  return low.length === 0
    ? `SELECT pg_wal_replay_resume() at site ${to}.`
    : `raise ${low.join(", ")} at site ${to} to the other site's value and restart it; do not resume the replay before, it would stop the server.`;
}

function settingsFit(context: Context, left: SiteFacts, here: SiteFacts): readonly Refusal[] {
  const { to, from } = context;
  const lower = HOT_STANDBY.filter((name) => {
    const [mine, theirs] = [here.settings[name], left.settings[name]];
    return mine !== undefined && theirs !== undefined && Number(mine) !== Number(theirs);
  });
  const archive = left.settings.archive_command;
  return [
    ...fits(
      lower.length === 0,
      "hot-standby-settings",
      lower
        .map(
          (name) =>
            `${name} is ${String(here.settings[name])} at site ${to} and ${String(left.settings[name])} at site ${from}`,
        )
        .join("; "),
      "give both sites the same values and restart the one that is lower: each must be able to be the other's standby.",
    ),
    ...fits(
      left.settings.synchronous_commit !== "off" && left.asyncOverrides === 0,
      "synchronous-commit",
      `site ${from}: synchronous_commit is off (${left.asyncOverrides} overrides by role or database); acknowledged writes can be on no disk at all`,
      "set synchronous_commit to local or on, and reset the overrides (pg_db_role_setting).",
    ),
    ...fits(
      left.settings.archive_mode === "off" ||
        archive === undefined ||
        archive === "-" ||
        archive !== here.settings.archive_command ||
        here.settings.archive_mode !== "always",
      "archive",
      "both sites archive WAL by the same command; two writers in one archive destroy it",
      "give each site an archive of its own.",
    ),
    ...fits(
      left.preparedTransactions === 0 ||
        left.settings.max_prepared_transactions === here.settings.max_prepared_transactions,
      "prepared-transactions",
      `site ${from}: ${left.preparedTransactions} prepared transactions, and max_prepared_transactions differs`,
      "give both sites the same max_prepared_transactions.",
    ),
  ];
}
