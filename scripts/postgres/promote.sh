#!/bin/sh
# promote: make this site the primary, by the way that fits.
#   permit   a standby with a permit of this epoch and run (the default)
#   initial  it is the primary already, or was until its own guard closed it; a write confirms it
#   held     closed by its own guard before any epoch was settled: opened, without an epoch
#   resume   the site that was left and never replaced: fenced or armed
#   reboot   promoted in this epoch, then started again as standby
#   check    says whether it is the primary; changes nothing
# Danger: a promotion cannot be withdrawn. So the epoch is recorded as promoted, outside PGDATA, before it is asked for.

main() {
  read_input
  if [ "$value" = check ]; then
    confirm_primary
    return 0
  fi
  take_lock
  adopt
  recall promoted
  promoted_epoch=${recalled%% *} promoted_tli=${recalled##* }
  case $value in
  resume) resume ;;
  initial) initial ;;
  held) open_held ;;
  *) if [ "$promoted_epoch" = "$epoch" ]; then promote_on; else promote_with_permit; fi ;;
  esac
}

confirm_primary() {
  answer=$(
    sql <<SQL
select concat_ws(' ', case when pg_is_in_recovery() then 'standby' else 'primary' end,
  case when not pg_is_in_recovery() then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end,
  case when not pg_is_in_recovery() then pg_current_wal_lsn() end);
SQL
  ) || no_answer "run the update again"
  emit "$answer"
}
emit() { # ROLE TIMELINE LSN
  read -r is tli lsn <<ANSWER
$1
ANSWER
  if [ "$is" != primary ]; then later "the server here is a $is" "run the update again"; fi
  fact role primary
  fact timeline "$tli"
  fact lsn "$lsn"
}

promote_with_permit() {
  if ! postmaster; then later "PostgreSQL is not running here" "start it as standby and run the update again"; fi
  recall permit
  if [ -z "$recalled" ]; then refuse "no permit: verify has not proven anything in this run" "run the update again"; fi
  IFS=, read -r permit_v permit_epoch permit_run permit_boot permit_until permit_tli permit_loss <<PERMIT
$recalled
PERMIT
  if [ "$permit_v" != v1 ] || [ "$permit_epoch" != "$epoch" ] || [ "$permit_run" != "$run" ]; then
    refuse "the permit is of epoch $permit_epoch and run $permit_run, this is epoch $epoch and run $run" "run the update again"
  fi
  read -r boot </proc/sys/kernel/random/boot_id
  now
  if [ "$permit_boot" != "$boot" ] || [ "$permit_until" -lt $((now / 100)) ]; then refuse "the permit has expired" "run the update again, it verifies anew"; fi
  # Before the promotion is recorded: whoever takes it up after a kill must know that sequences leap.
  if [ "$permit_loss" = accepted ]; then store leap "$epoch"; fi
  : >"$state/permit"
  checkpoint permit-consumed
  # One sync of the folder makes both lasting: the permit's end and the promotion's record.
  store promoted "$epoch $((permit_tli + 1))"
  checkpoint promoted-stored
  ask_promotion
}

# Recorded in this epoch: nobody can have taken the fence back since, revoke refuses. So it goes on, without a permit.
promote_on() {
  if is_writable_now; then
    if [ -e "$data/standby.signal" ]; then remove_signal; fi
    leap_sequences
    probe_write
    return 0
  fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if [ "$own_tli" -ge "$promoted_tli" ]; then
    # It was promoted and started again as a standby of itself: a second promotion would only fork once more.
    no_less_than_peer
    start_as_primary
    leap_sequences
    return 0
  fi
  if ! postmaster; then
    place_signal
    start_postgres
  fi
  ask_promotion
}

# One session. A name that waits in a file counts as well: the nudge's reload would bring it to life. The nudge: a promotion asked for just after the primary stopped can wait a whole wal_retrieve_retry_interval.
ask_promotion() {
  answer=$(
    sql <<SQL
\set ON_ERROR_STOP off
select clock_timestamp() as began, (current_setting('synchronous_standby_names') <> ''
  or exists (select from pg_file_settings where name = 'synchronous_standby_names' and setting <> '')) as waits, pg_is_in_recovery() as recovering \gset
\if :recovering
select count(pg_create_physical_replication_slot('standby_$peer', true)) as slot
  where not exists (select from pg_replication_slots where slot_name = 'standby_$peer') \gset
\if :waits
-- What was there comes back when the other site streams (settle).
select coalesce((select setting from pg_file_settings where name = 'synchronous_standby_names' order by seqno desc limit 1), current_setting('synchronous_standby_names')) as names \gset
select :'names' <> '' as kept \gset
\if :kept
set standby.kept_synchronous_standby_names = '';
alter system set standby.kept_synchronous_standby_names = :'names';
\endif
alter system set synchronous_standby_names = '';
select pg_reload_conf() as reloaded \gset
\endif
select pg_promote(false) as asked \gset
\endif
\set ON_ERROR_STOP on
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$((step_bound / 2)) s'; looks int := 0;
begin
  while pg_is_in_recovery() and clock_timestamp() < give_up loop
    perform pg_sleep(0.003);
    looks := looks + 1;
    if looks % 12 = 0 then perform pg_reload_conf(); end if;
  end loop;
end \$\$;
select pg_is_in_recovery() as recovering \gset
\if :recovering
select 'standby';
\else
select round(1000 * extract(epoch from clock_timestamp() - :'began')) as took \gset
$(probe_sql)
select concat_ws(' ', 'primary', ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int, pg_current_wal_lsn(), :took);
\endif
SQL
  ) || later "the promotion was asked for, but PostgreSQL ended the session" "run the update again; it can only go forward"
  if [ "$answer" = standby ]; then later "promotion asked for, not done after $((step_bound / 2)) s" "run the update again; it can only go forward"; fi
  leap_sequences
  fact promote_ms "${answer##* }"
  emit "${answer% *}"
}

# What the lost site handed out of a sequence may not have arrived here: its rows come back with the delta, under numbers that
# this site must not hand out again. A sequence that counts down leaps down. The state file `leap`, "EPOCH ,OID,OID,", names the
# databases that are through; while it is there, the plan takes the promotion for unfinished.
leap_sequences() {
  recall leap
  case $recalled in "$epoch") leap_done=, ;; "$epoch "*) leap_done=${recalled#* } ;; *) return 0 ;; esac
  checkpoint before-leap
  total=0 failed=''
  each_database leap_there
  if [ -n "$failed" ]; then later "sequences did not leap in database$failed" "read the lines above, then run the update again; the services wait for it"; fi
  forget leap
  fact leapt "$total"
}

# In portions: each sequence is locked until the end of its transaction, and all of a large database do not fit. One without room for
# it stays as it is, for an end that is reached would stop every insert.
leap_there() {
  case $leap_done in *",$place_oid,"*) return 0 ;; *) ;; esac
  count=$(
    sql_in "$place" <<SQL
do \$\$ declare one record; goal numeric; leapt int := 0; stays int := 0;
begin
  for one in select c.oid, s.seqmin, s.seqmax, s.seqstart, s.seqincrement from pg_sequence s join pg_class c on c.oid = s.seqrelid where c.relpersistence = 'p' loop
    goal := coalesce(pg_sequence_last_value(one.oid), one.seqstart)::numeric + $sequence_leap * one.seqincrement::numeric;
    if goal between one.seqmin and one.seqmax then
      perform setval(one.oid, goal::bigint);
      leapt := leapt + 1;
    else
      stays := stays + 1;
    end if;
    if (leapt + stays) % 500 = 0 then commit; end if;
  end loop;
  perform set_config('standby.leapt', leapt || ' ' || stays, false);
end \$\$;
select current_setting('standby.leapt');
SQL
  ) || count=''
  if [ -z "$count" ]; then
    failed="$failed $place_name"
    return 0
  fi
  if [ "${count#* }" -gt 0 ]; then say "${count#* } sequences of database $place_name have no room for $sequence_leap more and stay as they are: their next numbers may be those of rows that come back"; fi
  total=$((total + ${count% *}))
  leap_done="$leap_done$place_oid,"
  store leap "$epoch $leap_done"
  checkpoint database-leapt
}

# A write that waits for no standby and for no lock.
probe_sql() {
  printf '%s\n' "set statement_timeout = '10s';" 'begin;' 'set local synchronous_commit = local;' \
    "select pg_logical_emit_message(true, 'standby', 'epoch $epoch') as probe \\gset" 'commit;'
}
probe_write() {
  answer=$(
    sql <<SQL
$(probe_sql)
select concat_ws(' ', 'primary', ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int, pg_current_wal_lsn());
SQL
  ) || later "the primary does not take a write" "look at its log, then run the update again"
  emit "$answer"
}

# Danger: to stop a server that recovers is to begin anew. Only one that stands in the WAL file that was written last, and takes
# no connections there, is stopped: a standby may never become readable.
start_as_primary() {
  if postmaster; then
    case $pid_status in starting*) await_recovery ;; *) ;; esac
    if [ ! -e "$data/standby.signal" ] && read_control && [ "$control_state" = 'in production' ]; then probe_write && return 0; fi
  fi
  if postmaster; then stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log, then run the update again"; fi
  remove_signal
  checkpoint signal-removed
  start_postgres
  probe_write
}

await_recovery() {
  if ! (await_postgres $((step_bound / 2))); then
    recovery_progress
    if [ ! -e "$data/standby.signal" ] || [ "$recovery_at" != "$recovery_of" ]; then exit 75; fi
  fi
  postmaster || :
}

# A primary that its own guard has closed, or whose host has booted, goes on: nobody was promoted since.
initial() {
  if [ "$promoted_epoch" = "$epoch" ] || is_held; then
    go_on
  else
    if ! postmaster; then later "PostgreSQL is not running here" "start it and run the update again"; fi
    if [ -e "$data/standby.signal" ]; then refuse "standby.signal lies in $data, and the guard did not place it" "name the other site as activeSite, or promote this one by hand first"; fi
    probe_write
  fi
  store promoted "$epoch $tli"
}
open_held() {
  if is_held; then go_on; elif ! postmaster; then later "PostgreSQL is not running here" "start it and run the update again"; fi
}

go_on() {
  if is_writable_now; then
    if [ -e "$data/standby.signal" ]; then remove_signal; fi
    probe_write
  else
    no_less_than_peer
    start_as_primary
  fi
}
is_writable_now() {
  postmaster && [ "$(
    sql <<SQL
select pg_is_in_recovery();
SQL
  )" = f ]
}

# The token goes first: from here on it is no longer true.
resume() {
  if is_writable_now; then peer_is_no_primary; else no_less_than_peer; fi
  if [ -e "$state/token" ]; then forget token; fi
  checkpoint token-gone
  if is_writable_now; then
    remove_signal
    probe_write
  else
    start_as_primary
  fi
  if [ "$to" = "$site" ]; then store promoted "$epoch $tli"; fi
}
