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
  if [ ! -e "$data/PG_VERSION" ] && [ ! -e "$state/rejoin" ]; then later_way seed "no database in $data" "run the update again, it copies the database"; fi
  ask_peer
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
  fact streaming yes
}

later_way() { # WAY WHAT HINT
  fact way "$1"
  later "$2" "$3"
}

# Sets the peer's system, timeline, position and history; makes this site's slot there when it is missing.
ask_peer() {
  answer=$(
    peer_sql replication=database <<SQL
IDENTIFY_SYSTEM \gset
\echo system :systemid :timeline :xlogpos
select not pg_is_in_recovery() as primary, not exists (select from pg_replication_slots where slot_name = 'standby_$site') as slotless \gset
\echo primary :primary
\if :primary
\if :slotless
CREATE_REPLICATION_SLOT standby_$site PHYSICAL RESERVE_WAL;
\endif
select 'slot ' || coalesce(wal_status, 'unknown') from pg_replication_slots where slot_name = 'standby_$site';
select :timeline > 1 as forked \gset
\if :forked
TIMELINE_HISTORY :timeline;
\endif
\endif
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port as $replication_user" "mend the way to $peer, then run the update again"
  peer_primary='' slot='' peer_history=''
  while read -r word first second third; do
    case $word in
    system) peer_system=$first peer_tli=$second peer_lsn=$third ;;
    primary) peer_primary=$first ;;
    slot) slot=$first ;;
    *.history\|*) peer_history="$peer_history${word#*|} $first
" ;;
    [0-9]*) peer_history="$peer_history$word $first
" ;;
    *) ;;
    esac
  done <<ANSWER
$answer
ANSWER
  if [ "$peer_primary" != t ]; then later "site $peer is not a primary" "run the update again once it is"; fi
}

# Where this site's own history ends: `own_end` on `own_tli`. A server that must replay first is started in quarantine:
# in recovery, listening to nobody, following nobody.
find_end() {
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if [ "$control_system" != "$peer_system" ]; then refuse "this is system $control_system, site $peer is system $peer_system" "the two sites hold different databases: check dataDirectory of both"; fi
  running=no
  if postmaster; then
    running=yes
  else
    place_signal
    checkpoint signal-placed
    case $control_state in
    'shut down')
      number_of "$control_lsn"
      record_end "$number" "$control_tli"
      own_end=$end
      return 0
      ;;
    *) quarantine ;;
    esac
  fi
  ask_self
}

quarantine() {
  set_conf primary_conninfo '' restore_command ''
  start_postgres "-c listen_addresses= -c primary_conninfo= -c restore_command="
  running=quarantine
}

# Waits until the replay stands still, unless it already follows the peer.
ask_self() {
  answer=$(
    sql <<SQL
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$((step_bound / 2)) s'; seen pg_lsn; since timestamptz := clock_timestamp();
begin
  while pg_is_in_recovery() and clock_timestamp() < least(give_up, since + interval '0.5 s')
      and not exists (select from pg_stat_wal_receiver where status = 'streaming' and received_tli = $peer_tli) loop
    if pg_last_wal_replay_lsn() is distinct from seen then seen := pg_last_wal_replay_lsn(); since := clock_timestamp(); end if;
    perform pg_sleep(0.02);
  end loop;
end \$\$;
select concat_ws(' ', pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn()::text, '0/0'),
  (select greatest(timeline_id, (select min_recovery_end_timeline from pg_control_recovery())) from pg_control_checkpoint()),
  exists (select from pg_stat_wal_receiver where status = 'streaming' and received_tli = $peer_tli
    and current_setting('primary_conninfo') like '%host=$peer_host port=$peer_port %'));
SQL
  ) || later "PostgreSQL does not answer here" "look at its log, then run the update again"
  read -r recovering own_lsn own_tli follows <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then refuse "this site accepts writes and so does site $peer" "fence one of them: set activeSite to the one that shall serve and run the update again"; fi
  if [ ! -e "$data/standby.signal" ]; then place_signal; fi
  number_of "$own_lsn"
  own_end=$number
}

# Sets `way`. On the peer's timeline, or on one that it left at or after this site's end, nothing here is unknown to it.
decide() {
  way=follow
  if [ "${follows:-f}" = t ]; then
    way=streaming
    return 0
  fi
  fork=''
  if [ "$own_tli" = "$peer_tli" ]; then
    fork=$peer_lsn
  else
    while read -r line_tli line_lsn; do
      if [ "$line_tli" = "$own_tli" ]; then fork=$line_lsn; fi
    done <<HISTORY
$peer_history
HISTORY
  fi
  number_of "${fork:-0/0}"
  if [ "$own_end" -gt "$number" ]; then
    if [ "$running" = yes ]; then set_running primary_conninfo ''; else set_conf primary_conninfo '' restore_command ''; fi
    fact end "$(lsn_of "$own_end")"
    fact fork "${fork:--}"
    diverged_bytes=$((own_end - number))
    if may_overwrite; then
      way=reseed
      if may_rewind; then way=rewind; else say "no rewind: $reason"; fi
      return 0
    fi
    later_way diverged "holds WAL up to $(lsn_of "$own_end") on timeline $own_tli, but site $peer left that timeline at ${fork:-no known point}" "keep $data as it is: run the update again, which exports its last writes first; or give them up: pulumi config set discardDelta $epoch && pulumi up"
  fi
  if [ "$slot" = lost ] || ! peer_has_wal; then
    say "site $peer no longer keeps the WAL that this site needs"
    way=reseed
  fi
}

conninfo() { printf 'host=%s port=%s user=%s application_name=standby_%s passfile=%s connect_timeout=3 tcp_user_timeout=5000 keepalives_idle=5' "$peer_host" "$peer_port" "$replication_user" "$site" "$PGPASSFILE"; }

follow() {
  if [ "$way" = streaming ]; then return 0; fi
  checkpoint before-follow
  case $running in
  yes) set_running primary_conninfo "$(conninfo)" primary_slot_name "standby_$site" ;;
  *)
    if [ "$running" = quarantine ]; then stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"; fi
    set_conf primary_conninfo "$(conninfo)" primary_slot_name "standby_$site" recovery_min_apply_delay 0
    start_postgres
    ;;
  esac
}

# Settings of a server that does not run.
set_conf() { # NAME VALUE ...
  conf=$data/postgresql.auto.conf lines=''
  pattern='^$'
  while [ $# -gt 1 ]; do
    pattern="$pattern|^$1 *="
    lines="$lines$1 = '$2'
"
    shift 2
  done
  {
    grep --extended-regexp --invert-match "$pattern" "$conf" || :
    printf '%s' "$lines"
  } >"$conf.new"
  give_to_owner "$conf.new"
  sync "$conf.new"
  mv "$conf.new" "$conf"
  sync "$data"
}

# Settings of a server that runs. What is set already is not written again.
set_running() { # NAME VALUE ...
  {
    while [ $# -gt 1 ]; do
      printf "select 'alter system set %s = ''%s''' where current_setting('%s') <> '%s' \\\\gexec\n" "$1" "$2" "$1" "$2"
      shift 2
    done
    printf 'select pg_reload_conf() as reloaded \\gset\n'
  } | sql
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
  ) || later "PostgreSQL does not answer here" "look at its log, then run the update again"
}
