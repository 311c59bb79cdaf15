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
  if [ -e "$state/beyond" ]; then forget beyond; fi
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

# Sets `way`. Where the two have not parted, nothing here is unknown to the peer.
decide() {
  find_parting
  # Found by an earlier run. The bytes may be the peer's by now, sent over its own; what it has replayed is not.
  if [ "$parted" = no ] && [ -e "$state/beyond" ]; then parted=yes known_by=bytes; fi
  if [ "$parted" = yes ]; then
    follow_nobody
    fact end "$(lsn_of "$own_end")"
    fact fork "${fork_text:--}"
    diverged_bytes=$((own_end - fork))
    if may_overwrite; then
      way=reseed
      if may_rewind; then way=rewind; else say "no rewind: $reason"; fi
      return 0
    fi
    say_parted
  fi
  way=follow
  if [ "$follows" = t ]; then
    way=streaming
    return 0
  fi
  if [ "$slot" = lost ] || ! peer_has_wal; then
    say "site $peer no longer keeps the WAL that this site needs"
    way=reseed
  fi
}

say_parted() {
  hint="keep $data as it is: run the update again, which exports its last writes first"
  case $known_by in
  bytes) what="and it is not that of site $peer from ${fork_text:-some unknown point} on" ;;
  end)
    what="and site $peer ends at $fork_text: the disk of site $peer is older"
    holds_more
    ;;
  *) what="but site $peer left that timeline at ${fork_text:-no known point}" ;;
  esac
  later_way diverged "holds WAL up to $(lsn_of "$own_end") on timeline $own_tli, $what" "$hint; or give them up: pulumi config set discardDelta $delta_epoch && pulumi up"
}
# The plan learns of it: this site is failed over to, and never restarted or copied anew.
holds_more() {
  store beyond "$(lsn_of "$own_end") $peer_lsn"
  hint="keep both as they are and let this site serve: pulumi config set activeSite $site && pulumi up; what only site $peer has is exported then"
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
    is_replayed || say_not_replayed
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

# Whether what lies on this disk is what was replayed: a new start would replay that. The last transaction that was replayed is told by
# its time, to the microsecond.
is_replayed() {
  answer=$(
    sql <<SQL
select concat_ws('|', pg_last_wal_replay_lsn(), to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'));
SQL
  ) || no_answer
  case $answer in *'|'*) ;; *) return 1 ;; esac
  number_of "${answer%%|*}"
  own_end=$number
  streams=f
  find_timeline
  find_branches
  ends_at "$(last_here)" "$own_end" || return 1
  replayed_from=$control_redo
  # Nothing may have been committed since the last restart point.
  until waldump "$replayed_from" "${answer%%|*}" --rmgr=Transaction | grep --quiet --fixed-strings " ${answer#*|} UTC"; do
    number_of "$replayed_from"
    number=$(((number - 1) / wal_segment * wal_segment))
    if [ "$number" -le 0 ] || ! find_own_file "$number"; then return 1; fi
    replayed_from=$(lsn_of "$number")
  done
}
say_not_replayed() {
  follow_nobody
  own_lsn=${answer%%|*}
  number_of "$own_lsn"
  own_end=$number
  holds_more
  later_way diverged "has replayed up to $own_lsn what site $peer does not have: the WAL that site $peer sends is another one, its disk came back older" "$hint"
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
