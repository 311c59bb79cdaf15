#!/bin/sh
# rejoin: make this site the standby of its peer. It never accepts a write on the way.
# Ways: streaming (it follows already), follow (its end lies on the peer's history), rewind and reseed (remake.sh: it has
# diverged and its own writes are exported or given up, or the peer no longer has the WAL), diverged (it holds writes that
# only it has: nothing is touched, exit 75), seed (no data here).
# Danger: a diverged server can look alive, it accepts reads and shows a walsender. Healthy means that a position written
# on the peer after the join is replayed here.

main() {
  read_input
  take_lock
  if [ -n "$epoch" ]; then adopt; fi
  delta_epoch=${delta_epoch:-$epoch}
  after_alone
  if ! has_database && [ ! -e "$state/rejoin" ]; then later_way seed "no database in $data" "run the update again, it copies the database"; fi
  ask_peer "$(slot_sql)"
  way=''
  take_up
  if [ -z "$way" ]; then
    find_end
    decide
    case $way in
    rewind) rewind ;;
    reseed) reseed ;;
    *)
      fact way "$way"
      follow
      ;;
    esac
  fi
  prove_join
  bring_back
  fact streaming yes
}

later_way() { # WAY WHAT HINT
  fact way "$1"
  later "$2" "$3"
}

# Makes this site's slot at the peer when it is missing, and says what state it is in.
slot_sql() {
  cat <<SQL
select not exists (select from pg_replication_slots where slot_name = 'standby_$site') as slotless \gset
\if :slotless
CREATE_REPLICATION_SLOT standby_$site PHYSICAL RESERVE_WAL;
\endif
select 'slot ' || coalesce(wal_status, 'unknown') from pg_replication_slots where slot_name = 'standby_$site';
SQL
}

# Sets `way`. On the peer's timeline, or on one that it left at or after this site's end, nothing here is unknown to it.
decide() {
  way=follow
  if [ "$follows" = t ]; then
    way=streaming
    return 0
  fi
  if is_beyond; then
    follow_nobody
    fact end "$(lsn_of "$own_end")"
    fact fork "${fork_text:--}"
    diverged_bytes=$((own_end - fork))
    if may_overwrite; then
      way=reseed
      if may_rewind; then way=rewind; else say "no rewind: $reason"; fi
      return 0
    fi
    later_way diverged "holds WAL up to $(lsn_of "$own_end") on timeline $own_tli, but site $peer left that timeline at ${fork_text:-no known point}" "keep $data as it is: run the update again, which exports its last writes first; or give them up: pulumi config set discardDelta $delta_epoch && pulumi up"
  fi
  if [ "$slot" = lost ] || ! peer_has_wal; then
    say "site $peer no longer keeps the WAL that this site needs"
    way=reseed
  fi
}

# A delayed standby cannot take over, so it goes; a person may set it again.
name_delay() {
  was=$(sed -n "s/^recovery_min_apply_delay *= *//p" "$data/postgresql.auto.conf" | tail --lines=1)
  case $was in '' | 0 | "'0'") ;; *) say "recovery_min_apply_delay was $was here and is 0 now: with a delay this site could not take over" ;; esac
}

follow() {
  if [ "$way" = streaming ]; then return 0; fi
  checkpoint before-follow
  connection_extras "$data/postgresql.auto.conf"
  case $running in
  yes) set_running primary_conninfo "$(conninfo "$extras")" primary_slot_name "standby_$site" ;;
  *)
    leave_quarantine
    name_delay
    set_conf primary_conninfo "$(conninfo "$extras")" primary_slot_name "standby_$site" recovery_min_apply_delay 0
    start_postgres
    ;;
  esac
}

# Healthy: a row written on the peer after the join is read back here.
prove_join() {
  now
  nonce="$site-$now-$$"
  written=$(
    peer_sql <<SQL
select to_regprocedure('standby.write_mark(text, text)') is not null as able \gset
\if :able
select standby.write_mark('$site', '$nonce') as probe \gset
\else
select pg_logical_emit_message(true, 'standby', 'join $site') as probe \gset
\endif
select pg_current_wal_lsn(), :'able';
SQL
  ) || later "cannot write at site $peer as $replication_user" "run the update again"
  joined=''
  await_join
  if [ "$joined" = stuck ]; then
    say "holds WAL that it cannot replay and would not fetch again while it runs; it is started anew"
    stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"
    checkpoint restarted-stuck
    start_postgres
    await_join
  fi
  if [ "$joined" != t ]; then
    tail --lines=3 "$state/log/server.log" >&2 2>/dev/null || :
    later "does not replay what site $peer writes" "read $state/log/server.log, then run the update again"
  fi
}

# Sets `joined`: t, f, or stuck: WAL was received, cannot be read, and no receiver runs any more. The server remembers up to
# where it received, so it reads the same bytes again and again; only a new start makes it fetch them anew.
await_join() {
  joined=$(
    sql <<SQL
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$((step_bound / 2)) s'; seen pg_lsn; since timestamptz := clock_timestamp();
begin
  while clock_timestamp() < give_up and (coalesce(pg_last_wal_replay_lsn(), '0/0') < '${written%%|*}'
      or not exists (select from pg_stat_wal_receiver where status = 'streaming')) loop
    if pg_last_wal_replay_lsn() is distinct from seen or pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()
        or pg_get_wal_replay_pause_state() <> 'not paused' then
      seen := pg_last_wal_replay_lsn();
      since := clock_timestamp();
    elsif clock_timestamp() > since + interval '2 s' and not exists (select from pg_stat_wal_receiver where status = 'streaming') then
      perform set_config('standby.stuck', 'yes', false);
      exit;
    end if;
    perform pg_sleep(0.01);
  end loop;
end \$\$;
select pg_last_wal_replay_lsn() >= '${written%%|*}' and exists (select from pg_stat_wal_receiver where status = 'streaming' and received_tli = $peer_tli) as joined,
  case current_setting('standby.stuck', true) when 'yes' then 'stuck' else 'f' end as otherwise \gset
select :'joined' and '${written##*|}' = 't' as readable \gset
\if :readable
select nonce = '$nonce' from standby.mark where site = '$site';
\else
select case when :'joined' then 't' else :'otherwise' end;
\endif
SQL
  ) || no_answer
}
