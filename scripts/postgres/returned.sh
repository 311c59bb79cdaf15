#!/bin/sh
# returned: what delta and rejoin both must know of a returned site: the peer's history, where its own ends, and where the
# two part. Functions only. A server that must replay first is started in quarantine: in recovery, listening to nobody,
# following nobody, so that nothing is pruned, written or fetched and what is read cannot change.
# shellcheck disable=SC2154,SC2034 # lib.sh sets them; delta and rejoin read them

# Sets the peer's system, timeline, position and history. The SQL of an argument runs there too, if it is a primary.
ask_peer() { # [SQL]
  answer=$(
    peer_sql replication=database <<SQL
IDENTIFY_SYSTEM \gset
\echo system :systemid :timeline :xlogpos
select not pg_is_in_recovery() as primary \gset
\echo primary :primary
\if :primary
${1:-}
select :timeline > 1 as forked \gset
\if :forked
TIMELINE_HISTORY :timeline;
\endif
\endif
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port as $replication_user" "mend the way to $peer, then run the update again"
  peer_primary='' peer_system='' peer_tli=0 peer_lsn=0/0 slot='' peer_history=''
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

# Sets `own_end` on `own_tli`, and `running`: no (stopped cleanly, it says so by itself), yes, or quarantine.
find_end() {
  streams=f follows=f own_end=''
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if [ "$control_system" != "$peer_system" ]; then refuse "this is system $control_system, site $peer is system $peer_system" "the two sites hold different databases: check dataDirectory of both"; fi
  running=yes
  if ! postmaster; then
    running=no
    place_signal
    checkpoint signal-placed
  fi
  case $running$pid_status in yesready* | yesstandby*) ;; *) if never_readable; then end_unread; fi ;; esac
  if [ "$running" = no ]; then
    if [ "$control_state" = 'shut down' ]; then
      number_of "$control_lsn"
      record_end "$number" "$control_tli"
      own_end=$end
    fi
    if [ -n "$own_end" ]; then return 0; fi
    quarantine
  fi
  ask_self
}

# A server that no start as a standby makes readable. Where it has diverged it is recovered by itself; else what it follows
# sends what is missing, and its end is read from the WAL.
end_unread() {
  find_wal_end
  find_parting
  if [ "$parted" = yes ]; then
    recover_alone
    own_end=''
  elif [ "$running" = yes ]; then
    place_signal
    stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"
  fi
  running=no
}

quarantine() {
  set_conf primary_conninfo '' restore_command ''
  start_postgres "-c listen_addresses= -c primary_conninfo= -c restore_command="
  running=quarantine
}

# Waits until the replay stands still, unless it follows the peer already. It follows if its configuration says so too:
# what streams by a setting that somebody gave it by hand may not do so tomorrow.
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
  streams, streams and current_setting('primary_conninfo') like '%host=$peer_host port=$peer_port %')
  from (select exists (select from pg_stat_wal_receiver where status = 'streaming' and received_tli = $peer_tli) as streams) as receiver;
SQL
  ) || no_answer
  read -r recovering own_lsn own_tli streams follows <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then refuse "this site accepts writes and so does site $peer" "fence one of them: set activeSite to the one that shall serve and run the update again"; fi
  place_signal
  number_of "$own_lsn"
  own_end=$number
}

leave_quarantine() {
  if [ "$running" = quarantine ]; then stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"; fi
}

# Settings of a server that does not run.
set_conf() { # NAME VALUE ...
  conf=$data/postgresql.auto.conf lines=''
  pattern='^$'
  while [ $# -gt 1 ]; do
    pattern="$pattern|^$1 *="
    case $1$2 in restore_command | primary_conninfo) keep_line "$1" ;; *) ;; esac
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
      case $1$2 in restore_command | primary_conninfo) keep_sql "$1" ;; *) ;; esac
      printf "select 'alter system set %s = ''%s''' where current_setting('%s') <> '%s' \\\\gexec\n" "$1" "$2" "$1" "$2"
      shift 2
    done
    printf 'select pg_reload_conf() as reloaded \\gset\n'
  } | sql
}

# On disk too: a restore_command that finds the peer's history would fetch it into what has diverged.
follow_nobody() {
  if [ "$running" = yes ]; then set_running primary_conninfo '' restore_command ''; else set_conf primary_conninfo '' restore_command ''; fi
}
