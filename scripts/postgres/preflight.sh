#!/bin/sh
# preflight: can this flip end well? Changes no data; a checkpoint now keeps the stop short later.
#   source  the site that serves; its peer, where one streams, must be reachable in the other direction too
#   target  the standby: replays what the source had (value_lsn), then warms its own control file
#   source-first, target-first  prepare or join have something to mend here and come next, so only the checkpoint is made

main() {
  read_input
  name_stray
  case $value in *-first)
    if postmaster; then
      warm
      note_followers
    fi
    return 0
    ;;
  *) ;;
  esac
  if ! postmaster; then later "PostgreSQL is not running here" "start it and run the update again"; fi
  case $value in
  target) preflight_target ;;
  *) preflight_source ;;
  esac
  note_followers
}

# A server that somebody started outside its unit is no reason to refuse: the flip stops it, and starts it inside.
name_stray() {
  where=$(owner_word)
  case $where in
  session) where='inside a login session' ;;
  other) where='outside it' ;;
  *) return 0 ;;
  esac
  say "PostgreSQL does not run in $unit but $where; a shutdown of the host would lose writes"
  printf 'HINT: as root at site %s: %s/guard move (a restart)\n' "$site" "$state" >&2
}

# By which slots the declared followers read here: the site that takes over makes them anew, and this one drops them once it
# is the standby. What was noted stays while nothing is connected: a follower may be away for a moment.
note_followers() {
  case $services in *follower=*) ;; *) return 0 ;; esac
  case $value in
  source*)
    declare_followers
    follower_slots=$(
      sql <<SQL
select string_agg(concat_ws(':', name, slot, type), ',' order by name, slot) from $(connected_sql) where slot is not null;
SQL
    ) || follower_slots=''
    fact follower_slots "${follower_slots:--}"
    ;;
  *) ;;
  esac
  case $follower_slots in '' | - | *[!a-zA-Z0-9._:,-]*) ;; *) if [ -d "$state" ]; then keep followers "$follower_slots"; fi ;; esac
}

# The position is told all the same: the target may be ready although this site is not.
warm() {
  lsn=$(
    sql <<SQL
checkpoint;
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end;
SQL
  ) || no_answer
  fact lsn "$lsn"
}

preflight_source() {
  answer=$(
    sql <<SQL
checkpoint;
select concat_ws(' ', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end,
  case when pg_is_in_recovery() then 'standby' else 'primary' end,
  case when exists (select from pg_stat_replication where application_name = 'standby_$peer') then 'followed' else 'alone' end);
SQL
  ) || no_answer
  read -r lsn is followed <<ANSWER
$answer
ANSWER
  if [ "$is" = primary ] && [ "$followed" = followed ]; then prove_way; fi
  # Before a failover it stops nothing: a loss does not wait for one database.
  if [ "$is" = standby ]; then
    enter_all
    if [ -n "$closed" ]; then say "$closed cannot be entered here: its sequences will not leap"; fi
  fi
  fact lsn "$lsn"
}

preflight_target() {
  case $value_lsn in '' | *[!0-9A-F/]*) fault "value_lsn '$value_lsn' is not a position" "call the verb with value_lsn=X/Y" ;; *) ;; esac
  answer=$(
    sql <<SQL
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$((step_bound / 2)) s';
begin
  while pg_is_in_recovery() and pg_get_wal_replay_pause_state() = 'not paused' and coalesce(pg_last_wal_replay_lsn(), '0/0') < '$value_lsn' and clock_timestamp() < give_up loop
    perform pg_sleep(0.01);
  end loop;
end \$\$;
checkpoint;
select concat_ws(' ', pg_is_in_recovery(), replace(pg_get_wal_replay_pause_state(), ' ', '-'), current_setting('recovery_min_apply_delay'),
  pg_last_wal_replay_lsn() >= '$value_lsn', pg_last_wal_replay_lsn());
SQL
  ) || no_answer
  read -r recovering paused apply_delay reached lsn <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then refuse "this site is not in recovery" "run the update again"; fi
  if [ "$paused" != not-paused ]; then refuse "replay is paused at $lsn" "select pg_wal_replay_resume() here (compare max_connections of both sites first), then run the update again"; fi
  if [ "$apply_delay" != 0 ]; then refuse "recovery_min_apply_delay is $apply_delay" "set it to 0 here, then run the update again"; fi
  if [ "$reached" != t ]; then later "replayed $lsn, site $peer was at $value_lsn" "mend replication or wait, then run the update again"; fi
  prove_way
  enter_all
  if [ -n "$closed" ]; then refuse "$closed cannot be entered here, so its sequences and its delta could not be seen to" "read the lines above, mend that, then run the update again"; fi
  fact lsn "$lsn"
}

# Sets `closed`: databases that let nobody in, as each is entered after a loss. No longer than a third of the step.
enter_all() {
  closed='' left_out=0
  deadline_in $((step_bound / 3))
  each_database enter_one
  if [ "$left_out" -gt 0 ]; then say "$left_out databases were not entered within $((step_bound / 3)) s"; fi
}
enter_one() {
  if ! in_time; then
    left_out=$((left_out + 1))
    return 0
  fi
  echo 'select 1' | sql_in "$place" >/dev/null || closed="$closed${closed:+, }database $place_name"
}

# After the flip this site follows its peer, with the replication user and the password of ~/.pgpass.
prove_way() {
  answer=$(
    peer_sql replication=database <<SQL
IDENTIFY_SYSTEM;
SQL
  ) || refuse "cannot log in to site $peer at $peer_host:$peer_port as $replication_user for replication" "check pg_hba.conf, the firewall and ~/.pgpass (the prepare step writes it)"
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if [ "${answer%%|*}" != "$control_system" ]; then refuse "site $peer is system ${answer%%|*}, this site is $control_system" "the two sites hold different databases: check dataDirectory of both"; fi
  fact way_back yes
}
