#!/bin/sh
# fence: make this site provably unable to accept writes, and say where it stopped.
# The signal is placed and synced before the stop, so that no later start of this data can write.
# value=dead: this site was lost. Then it is started once more, as a standby of nobody, so that the other site fetches what
# it has not received yet; the token then says `drained`: END is the last valid record. Where that fails there is no token.
# value=older: lost, and the other site holds more (plan/ahead.ts). Then nothing is sent there, and END is read from the WAL.

main() {
  read_input
  take_lock
  adopt
  has_database || :
  after_alone
  if ! has_database; then refuse "no database in $data" "check dataDirectory of this site"; fi
  recall promoted
  if [ "${recalled%% *}" = "$epoch" ] && [ "$to" = "$site" ]; then refuse "this site was promoted in epoch $epoch" "run the update again, the only way is forward"; fi
  stop_ms=0
  if postmaster; then fence_running; else fence_stopped; fi
  case $value in
  dead) drain ;;
  older) prove_end ;;
  *) prove_fence ;;
  esac
  fact fenced yes
  fact stop_ms "$stop_ms"
}

# Sets `peer_senders`: the walsenders that feed the other site. All other walsenders are foreign; `followers` are those of
# them that the program declares, each PID|NAME.
fence_running() {
  peer_senders=' ' peer_lag='' followers=''
  declare_followers
  # It replays already as a standby of nobody, and would have to begin anew.
  case $value$pid_status in deadstarting*) if [ -e "$data/standby.signal" ] && read_control && ! never_readable; then (await_postgres "$((step_bound / 3))") || not_through "$?"; fi ;; *) ;; esac
  answer=$(
    timeout 20 sh -c 'cat' <<SQL | sql
select case when pg_is_in_recovery() then 'standby' else 'primary' end as role \gset
\echo :role
select :'role' = 'primary' as writable \gset
\if :writable
checkpoint;
select 'sender', pid, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)::bigint from pg_stat_replication
  where application_name = 'standby_$peer' and state = 'streaming';
select 'follower', pid, name from $(connected_sql);
\endif
SQL
  ) || answer=silent
  for line in $answer; do
    case $line in
    'sender|'*)
      peer_lag=${line##*|} line=${line#*|}
      peer_senders="$peer_senders${line%%|*} "
      ;;
    'follower|'*) followers="$followers ${line#*|}" ;;
    *) ;;
    esac
  done
  case $answer in
  standby*)
    place_signal
    # Not needed by anybody as it is: what it holds is drained, or it ends as a standby that cannot write.
    case $value in dead | older) stop_bounded ;; *) ;; esac
    return 0
    ;;
  silent) if ! is_loss; then no_answer; fi ;;
  *) ;;
  esac
  if ! is_loss; then
    if [ -z "$peer_lag" ]; then later "site $peer does not stream from this site, so it would miss the last writes" "mend replication to $peer and run the update again"; fi
    if [ "$peer_lag" -gt "$lag_limit" ]; then later "site $peer is $peer_lag bytes behind, more than the $lag_limit that are allowed" "wait and run the update again"; fi
  fi
  checkpoint before-signal
  place_signal
  checkpoint signal-placed
  end_followers
  stop_bounded
}

# A fast stop waits for every walsender, also for one whose far end is slow or hangs. Whatever these miss is at the other
# site, which is promoted only with every byte.
end_followers() {
  ended=''
  for follower in $followers; do
    if is_sender "${follower%%|*}"; then
      kill -s TERM "${follower%%|*}" 2>/dev/null || :
      ended="$ended,${follower#*|}"
    fi
  done
  if [ -n "$ended" ]; then fact followers_ended "${ended#,}"; fi
}
is_sender() { # PID
  title=''
  { IFS= read -r title <"/proc/$1/cmdline"; } 2>/dev/null || :
  # shellcheck disable=SC3013 # as in lib.sh
  case $title in *walsender*) [ "/proc/$1/cwd" -ef "$data_path" ] ;; *) return 1 ;; esac
}
is_loss() { [ "$value" = dead ] || [ "$value" = older ] || [ "$kind" = failover ]; }

# Never left in between: it ends stopped, or it serves again.
stop_bounded() {
  now
  began=$now
  if stop_postgres INT "$(((stop_bound + 1) / 2))" || stop_harder; then
    now
    stop_ms=$(((now - began) * 10))
    return 0
  fi
  say "not stopped after $stop_bound s, $(data_processes | wc --lines) processes left; ended at once"
  if ! stop_postgres QUIT 5; then kill_all; fi
  if is_loss; then return 0; fi
  serve_again "the stop took more than $stop_bound s"
}

# Any walsender can hold up a stop. Foreign ones end first. The other site's ends at the bound: whether it got everything
# is not assumed but compared by verify.
stop_harder() {
  end_senders foreign
  if stop_postgres INT "$(((stop_bound + 1) / 2))"; then return 0; fi
  end_senders all
  if stop_postgres INT 2; then return 0; fi
  read_control
  # Only an archiver can be left now: the control file is final and every page is on disk.
  if [ "$control_state" = 'shut down' ]; then stop_postgres QUIT 2; else return 1; fi
}

end_senders() { # foreign|all
  for link in $(data_processes); do
    sender=${link#/proc/}
    sender=${sender%/cwd}
    if ! is_sender "$sender"; then continue; fi
    case $1$peer_senders in
    foreign*" $sender "*) ;;
    *)
      say "ends $title"
      kill -s TERM "$sender" 2>/dev/null || :
      ;;
    esac
  done
}

kill_all() {
  deadline_in 10
  while in_time; do
    left=$(data_processes)
    if [ -z "$left" ]; then return 0; fi
    for link in $left; do
      link=${link#/proc/}
      kill -s KILL "${link%/cwd}" 2>/dev/null || :
    done
    sleep 0.05
  done
  fault "processes of $data cannot be ended: $left" "end them by hand, then run the update again"
}

# Nobody holds a permit of this run: verify, which writes it, runs after the fence.
serve_again() {
  forget token
  remove_signal
  start_postgres
  later "$1; rolled back, this site serves again" "see who holds up the stop (select * from pg_stat_replication), then run the update again"
}

fence_stopped() {
  if [ -n "$(data_processes)" ]; then kill_all; fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  case $control_state in
  'shut down' | 'shut down in recovery') ;;
  *) if ! is_loss; then later "PostgreSQL died here (control file: $control_state)" "start it, or let the update treat this site as lost"; fi ;;
  esac
  place_signal
}

prove_fence() {
  forget_old_token
  if postmaster; then
    # A standby: it cannot write, and it has no shutdown record that would prove anything.
    fact token -
    return 0
  fi
  if [ -n "$(data_processes)" ]; then fault "processes still work in $data" "end them, then run the update again"; fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  case $control_state in
  'shut down') make_token ;;
  *)
    if ! is_loss && [ "$control_state" != 'shut down in recovery' ]; then serve_again "PostgreSQL did not end cleanly (control file: $control_state)"; fi
    fact token -
    ;;
  esac
}
forget_old_token() { if [ -e "$state/token" ]; then rm -f "$state/token"; fi; }

# What the other site lacks is fetched by it, not given up: this site runs as a standby that follows nobody until the other
# site has all of it on its own disk. It cannot write meanwhile: the signal is placed, and every trigger is passed as empty.
drain() {
  forget_old_token
  if postmaster; then stop_bounded; fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if never_readable; then recover_alone; fi
  drain_bound=$((step_bound / 3))
  checkpoint before-drain
  fetched='' why='it does not start as a standby' started=0
  (launch_postgres "-c primary_conninfo= -c restore_command= -c recovery_min_apply_delay=0 -c hot_standby=on" && await_postgres "$drain_bound") || started=$?
  if [ "$started" != 0 ]; then not_through "$started"; elif postmaster; then await_fetched; fi
  checkpoint fetched
  if ! stop_postgres INT "$stop_bound"; then stop_postgres QUIT 5 || kill_all; fi
  if [ -n "$(data_processes)" ]; then kill_all; fi
  if [ -z "$fetched" ]; then
    say "not drained: $why"
    fact drained no
    fact token -
    return 0
  fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  read -r own_tli own_end _ <<FETCHED
$fetched
FETCHED
  number_of "$own_end"
  end=$number
  drained_token
  fact drained yes
}

# Danger: the other site's receiver begins at its segment's start. What this site has written on an older disk would go over the only
# copy of what it lacks, so this site is not started again.
prove_end() {
  forget_old_token
  if postmaster; then stop_bounded; fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  find_wal_end
  own_end=$(lsn_of "$end")
  drained_token
  fact drained no
}

# Danger: to stop it here would throw away what it has replayed. It cannot write: its signal is placed.
not_through() { # STATUS of await_postgres
  if [ "$1" = 75 ] && [ "$accept_loss" != "$epoch" ]; then
    give_up 75 "it still replays what it wrote last, which site $peer may lack; nothing is stopped" "run the update again when it is through; or give that up: pulumi config set acceptLoss $epoch && pulumi up --yes --skip-preview"
  fi
}

# The other site's receiver knocks by itself, each wal_retrieve_retry_interval. `fetched` is set once this site's replay
# stands still and the other site has flushed up to it.
await_fetched() {
  answer=$(
    timeout "$((drain_bound + 5))" cat <<SQL | sql
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$drain_bound s'; seen pg_lsn; since timestamptz := clock_timestamp();
begin
  while clock_timestamp() < give_up loop
    if pg_last_wal_replay_lsn() is distinct from seen then seen := pg_last_wal_replay_lsn(); since := clock_timestamp(); end if;
    exit when clock_timestamp() > since + interval '0.3 s'
      and exists (select from pg_stat_replication where application_name = 'standby_$peer' and flush_lsn >= seen);
    perform pg_stat_clear_snapshot();
    perform pg_sleep(0.01);
  end loop;
end \$\$;
select concat_ws(' ', (select greatest(timeline_id, (select min_recovery_end_timeline from pg_control_recovery())) from pg_control_checkpoint()),
  pg_last_wal_replay_lsn(), pg_is_in_recovery(), coalesce((select max(flush_lsn) from pg_stat_replication where application_name = 'standby_$peer')::text, 'never'),
  coalesce((select max(flush_lsn) from pg_stat_replication where application_name = 'standby_$peer') >= pg_last_wal_replay_lsn(), false));
SQL
  ) || answer=''
  why='PostgreSQL does not answer as a standby'
  if [ -z "$answer" ]; then return 0; fi
  read -r _ own_end recovering flushed complete <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then fault "this site is not in recovery although standby.signal is placed" "read $state/log/server.log"; fi
  why="site $peer has fetched up to $flushed of $own_end within $drain_bound s"
  if [ "$complete" = t ]; then fetched=$answer; fi
}

# A drained server ends without a shutdown record: its proof is the tail alone, so LSN and record hash are the tail's.
drained_token() {
  tail_start
  tail_hash=$(wal_bytes "$own_tli" "$tail_from" "$end" | sha256sum)
  put_token "v1-drained,$control_system,$own_tli,$(lsn_of "$tail_from"),$own_end,${tail_hash%% *},$(lsn_of "$tail_from"),${tail_hash%% *},$epoch,$run"
}

make_token() {
  number_of "$control_lsn"
  start=$number
  record_end "$start" "$control_tli"
  tail_start
  record_hash=$(wal_bytes "$control_tli" "$start" "$end" | sha256sum)
  tail_hash=$(wal_bytes "$control_tli" "$tail_from" "$end" | sha256sum)
  put_token "v1,$control_system,$control_tli,$control_lsn,$(lsn_of "$end"),${record_hash%% *},$(lsn_of "$tail_from"),${tail_hash%% *},$epoch,$run"
}

# Sets `tail_from`: at most 64 kB before `end`, in the same segment.
tail_start() {
  tail_from=$(((end - 1) / wal_segment * wal_segment))
  if [ $((end - 65536)) -gt "$tail_from" ]; then tail_from=$((end - 65536)); fi
}

# The file of a token need not outlive a crash: after one, the fence is asked again.
put_token() {
  checkpoint before-token
  keep token "$1"
  fact token "$1"
}
