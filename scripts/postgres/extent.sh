#!/bin/sh
# extent: how far the WAL of this site goes, and whether what its peer holds lies on it. Functions only; of the guard and of promote.
# Danger: timelines are compared by history and by bytes, never by their number.
# shellcheck disable=SC2154,SC2034 # lib.sh and the callers set them

END_UNKNOWN='how far the WAL of this site goes is not known yet'

# Sets own_tli and own_end. A server in recovery has all that is on this disk once it waits for more.
find_own_end() {
  own_end=''
  read_control || return 1
  if postmaster; then
    case $pid_status in ready*) ;; *) return 1 ;; esac
    ended=$(locally timeout "${ask_bound:-5}" "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --no-password \
      --host="$socket" --port="$port" --username="$superuser" --dbname="$database" --command="
        select pg_last_wal_replay_lsn() where pg_is_in_recovery() and exists (select from pg_stat_activity
          where backend_type = 'startup' and wait_event in ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval'))" 2>/dev/null) || return 1
    if [ -z "$ended" ]; then return 1; fi
    number_of "$ended"
    newest_branch "$number"
    own_tli=$branch own_end=$reached
  elif [ "$control_state" = 'shut down' ]; then
    number_of "$control_lsn"
    end_of_record
  else
    newest_branch $((1 << 62))
    if [ "$branch" != "$own_tli" ]; then return 1; fi
    # Danger: the running guard does nothing else meanwhile, and a watchdog waits for it. Where it takes longer, the server is
    # started as a standby and asked.
    last=$(last_record 5)
    if [ -z "$last" ]; then return 1; fi
    own_end=$(end_of_last "$last" 2>/dev/null && echo "$end") || return 1
  fi
}
end_of_record() {
  own_end=$(record_end "$number" "$own_tli" 2>/dev/null && echo "$end") || return 1
}
# Sets `branch`: the newest timeline that this disk knows and that begins no later than there. The control file may name the one before.
newest_branch() { # POSITION
  branch=$own_tli reached=$1
  for history in "$data"/pg_wal/*.history; do
    if [ ! -r "$history" ]; then continue; fi
    read_history "$history"
    if [ "$history_tli" -gt "$branch" ] && [ "$number" -le "$reached" ]; then branch=$history_tli; fi
  done
}

# The peer's position lies on this site's history and not beyond its end there.
is_ours() {
  until=''
  if [ "$said_tli" = "$own_tli" ]; then
    until=$(lsn_of "$own_end")
  else
    history=$(printf '%s/pg_wal/%08X.history' "$data" "$own_tli")
    while read -r history_tli history_lsn _; do
      if [ "$history_tli" = "$said_tli" ]; then until=$history_lsn; fi
    done 2>/dev/null <"$history" || :
  fi
  reason="this disk is older: it ends at $(lsn_of "$own_end") on timeline $own_tli and was never on timeline $said_tli, where site $peer is; activeSite: $peer"
  if [ -z "$until" ]; then return 1; fi
  number_of "$until"
  limit=$number
  number_of "$said_lsn"
  if [ "$number" -le "$limit" ]; then return 0; fi
  reason="site $peer holds WAL up to $said_lsn and has not replayed it yet, this site ends at $until"
  if [ "$said_state" = busy ]; then return 1; fi
  reason="this disk is older: on timeline $said_tli it ends at $until, site $peer holds $((number - limit)) bytes more, up to $said_lsn; activeSite: $peer"
  return 1
}

# The bytes before the peer's position are the same here. After a promotion the new timeline's file has them as well.
same_bytes() {
  number_of "$said_lsn"
  tail=$(((number - 1) / wal_segment * wal_segment))
  if [ $((number - 8192)) -gt "$tail" ]; then tail=$((number - 8192)); fi
  reason="the WAL before $said_lsn on timeline $said_tli cannot be compared with site $peer's: it is gone at one of the two; pulumi up decides"
  if [ "$said_hash" = - ]; then return 1; fi
  for tail_tli in "$said_tli" "$own_tli"; do
    if [ ! -r "$(wal_file "$tail_tli" "$tail")" ]; then continue; fi
    reason="the WAL before $said_lsn on timeline $said_tli is another one at site $peer: the two have diverged"
    own_hash=$(wal_bytes "$tail_tli" "$tail" "$number" | sha256sum)
    if [ "${own_hash%% *}" = "$said_hash" ]; then return 0; fi
  done
  return 1
}

peer_is_no_primary() {
  if [ -n "$peer_host" ] && answer=$(
    peer_sql connect_timeout=2 <<SQL 2>/dev/null
select pg_is_in_recovery();
SQL
  ) && [ "$answer" = f ]; then
    refuse "site $peer answers as a writable primary at $peer_host:$peer_port" "set activeSite to $peer, or run the update again"
  fi
}

# Danger: no site becomes a primary again on less than what its peer holds: its disk may be older. A peer that does not answer is
# for the plan to judge, and for a person.
no_less_than_peer() {
  if [ -z "$peer_host" ]; then return 0; fi
  # It recovers as a primary by itself, and nothing here would stop it.
  if postmaster && [ ! -e "$data/standby.signal" ]; then
    peer_is_no_primary
    return 0
  fi
  said=$(
    peer_sql connect_timeout=2 <<SQL 2>/dev/null
select pg_is_in_recovery() as recovering, to_regprocedure('standby.answer(text)') is not null as able \gset
\echo :recovering
\if :able
select standby.answer('extent');
\endif
SQL
  ) || return 0
  case $said in f*) refuse "site $peer answers as a writable primary at $peer_host:$peer_port" "set activeSite to $peer, or run the update again" ;; *) ;; esac
  read -r _ _ _ _ _ said_promoted said_tli said_lsn said_state said_hash <<SAID
${said#*
}
SAID
  case $said_promoted$said_tli in '' | *[!0-9]*) return 0 ;; *) ;; esac
  case $said_lsn in '' | *[!0-9A-F/]*) return 0 ;; *) ;; esac
  if ! find_own_end; then
    # Its WAL is replayed by a standby of nobody, and asked for its end.
    hold_signal cut-off || fault "standby.signal cannot be placed in $data" "look at the disk of site $site"
    launch_postgres "-c primary_conninfo= -c restore_command="
    await_postgres $((step_bound / 2))
    deadline_in $((step_bound / 4))
    until find_own_end; do
      in_time || later "$END_UNKNOWN" "run the update again"
      sleep 0.1
    done
  fi
  if is_ours; then
    if same_bytes; then return 0; fi
    case $reason in *diverged*) ;; *)
      say "$reason"
      return 0
      ;;
    esac
  fi
  if [ "$said_state" = busy ]; then
    later "$reason" "run the update again when site $peer has replayed it"
  fi
  refuse "$reason" "do not start this disk: pulumi config set activeSite $peer && pulumi up; what only this site holds is exported then"
}
