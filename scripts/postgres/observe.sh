#!/bin/sh
# observe: what this site is, as facts. Read-only, without the lock; a state that can be described is never an error.

main() {
  read_input
  # Settings are reported as the applications get them, not as the verbs do.
  # shellcheck disable=SC2090 # as in lib.sh
  export PGOPTIONS="$neutral_options$session_options"
  # What cannot be told ends it here, and the plan says it.
  untold=tell_unread
  present=no
  if has_database; then
    present=yes
    postmaster || :
  fi
  fact clock "$(date +%s%3N)"
  observe_programs
  observe_state
  observe_services
  if wants_ground; then observe_ground; fi
  if [ "$present" = no ]; then
    observe_empty
    # What cannot be looked into is not known to be empty.
    role=absent
    if [ "$contents" = closed ]; then role=unclear; fi
    fact role "$role"
    fact signal no
    return 0
  fi
  fact version "$version"
  signal=no
  if [ -e "$data/standby.signal" ]; then signal=yes; fi
  fact signal "$signal"
  observe_control
  observe_role
}

tell_unread() {
  fact role unreadable
  fact unread "$unread"
  fact unread_path "$unread_path"
  fact account "$(id -un)"
  fact data_owner "$(stat --format=%U "$data" 2>/dev/null || echo -)"
  fact pid "${pid:--}"
  starter=-
  if is_bound; then starter=$unit; fi
  fact starter "$starter"
  exit 0
}

observe_programs() {
  missing=''
  for program in flock timeout dig openssl sync; do
    if ! command -v "$program" >/dev/null 2>&1; then missing="$missing,$program"; fi
  done
  for program in psql pg_ctl pg_controldata pg_waldump pg_basebackup; do
    if [ ! -x "$bindir/$program" ]; then missing="$missing,$program"; fi
  done
  missing=${missing#,}
  fact missing "${missing:--}"
  found=$(programs_major)
  fact programs "${found:--}"
  fact config_file "${config:--}"
  fact config_choices "${config_choices:--}"
  readable=yes
  if [ -n "$config" ] && ! as_owner test -r "$config"; then readable=no; fi
  fact config_readable "$readable"
}

observe_state() {
  record_epoch=- record_from=- record_to=- record_kind=-
  recall record
  for part in $recalled; do
    case $part in
    epoch=*) record_epoch=${part#*=} ;;
    from=*) record_from=${part#*=} ;;
    to=*) record_to=${part#*=} ;;
    kind=*) record_kind=${part#*=} ;;
    *) ;;
    esac
  done
  fact record_epoch "$record_epoch"
  fact record_from "$record_from"
  fact record_to "$record_to"
  fact record_kind "$record_kind"
  for file in settled promoted run token permit prepared obeyed rejoin delta.done applied beyond leap; do
    recall "$file"
    fact "${file%.done}" "${recalled:--}"
  done
  maintenance=off guard=-
  if [ -e "$state/maintenance" ]; then maintenance=on; fi
  if [ -r "$state/guard" ]; then
    guard=$(sha256sum "$state/guard")
    guard=${guard%% *}
  fi
  fact maintenance "$maintenance"
  fact guard "$guard"
  observe_pair
  guard_facts
  owner_facts
  recall peer_guard
  fact peer_guard "${recalled:--}"
}

# The addresses that prepare made this site for; the guard's where that prepare did not note them yet.
observe_pair() {
  recall pair
  if [ -z "$recalled" ] && [ -r "$state/guard.conf" ]; then
    recalled=$(sed -n -e 's/^port=//p' -e 's/^host=//p' -e 's/^peer_host=//p' -e 's/^peer_port=//p' "$state/guard.conf" | paste --serial --delimiters=,)
  fi
  fact pair "${recalled:--}"
}

observe_services() {
  service=''
  while IFS= read -r line; do
    case $line in
    service=*)
      service=${line#service=}
      service=${service%% *}
      ;;
    service_healthy=*)
      if timeout --kill-after=1 2 sh -c "${line#service_healthy=}" >/dev/null 2>&1 </dev/null; then
        fact "service.$service" running
      else
        fact "service.$service" stopped
      fi
      ;;
    *) ;;
    esac
  done <<SERVICES
$services
SERVICES
}

observe_control() {
  control_system=''
  if ! read_control; then
    say "pg_controldata: $control_text"
    own_tli=- control_state=''
    return 0
  fi
  fact control_state "$control_state"
  fact system_identifier "$control_system"
  fact control_lsn "$control_lsn"
  fact control_tli "$control_tli"
}

observe_role() {
  role=down timeline=$own_tli answer='' login=- ready=-
  if postmaster; then
    role=starting
    if answer=$(ask "$(observe_sql)"); then role=''; else find_reason; fi
    check_identity
    fact login "$login"
    fact ready "$ready"
    fact live_port "${pid_port:--}"
    fact live_socket "${pid_socket:--}"
  elif [ -z "$control_state" ]; then
    role=unclear
  fi
  while IFS= read -r line; do
    case $line in
    role=*) role=${line#*=} ;;
    timeline=*) timeline=${line#*=} ;;
    *=*) fact "${line%%=*}" "${line#*=}" ;;
    *) ;;
    esac
  done <<ANSWER
$answer
ANSWER
  # Writable although its signal is already placed: the gap between signal and stop.
  if [ "$role" = primary ] && [ "$signal" = yes ]; then role=armed; fi
  fact role "$role"
  fact timeline "$timeline"
  if [ "$role" = starting ]; then
    recovery_progress
    fact recovery_at "$recovery_at"
    fact recovery_of "$recovery_of"
  fi
  held=no held_why=-
  if is_held; then
    held=yes
    recall held.why
    held_why=${recalled:--}
  fi
  fact held "$held"
  fact held_why "$held_why"
  observe_fork
  case $login$role in
  -primary | -armed | -standby) if wants_ground; then observe_server; fi ;;
  *) ;;
  esac
}

ask() { # SQL
  locally timeout 5 "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --no-password \
    --host="$socket" --port="$port" --username="$superuser" --dbname="$database" --command="$1"
}

# Why a server that is up gives no answer: what was said at the login.
find_reason() {
  login=$(ask "select current_setting('data_directory')" 2>&1 >/dev/null | tail --lines=1 | cut --characters=1-300) || :
  login=${login:-no_answer}
  is_ready && ready=yes || ready=no
}

# Danger: by the socket and the port another cluster of this host may answer. What it says is not of this site.
check_identity() {
  case $answer in answering=*) ;; *) return 0 ;; esac
  answering=${answer%%
*}
  answering=${answering#*=}
  # shellcheck disable=SC3013 # dash, busybox, bash and POSIX 2024 know it
  if [ "$answering" = "$data" ] || [ "$answering" -ef "$data" ]; then
    # The rest is facts.
    answer=${answer#*
}
    return 0
  fi
  role=unclear answer='' login="cluster:$answering"
}

# Where the timelines before this one ended, from the newest history file.
observe_fork() {
  forks=''
  case $timeline in
  '' | *[!0-9]*) ;;
  *)
    history=$(printf '%s/pg_wal/%08X.history' "$data" "$timeline")
    if [ -r "$history" ]; then
      while read -r fork_tli fork_lsn _; do
        case $fork_tli in '' | *[!0-9]*) ;; *) forks="$forks,$fork_tli:$fork_lsn" ;; esac
      done <"$history"
    fi
    ;;
  esac
  forks=${forks#,}
  fact fork "${forks:--}"
}

# Names may hold anything; a fact may not.
b64_sql() { printf '%s' "replace(encode(convert_to(coalesce($1::text, ''), 'UTF8'), 'base64'), E'\\n', '')"; }

observe_sql() {
  cat <<SQL
select concat_ws(E'\n',
  'answering=' || current_setting('data_directory'),
  'role=' || case when recovery then 'standby' else 'primary' end,
  'timeline=' || case when recovery
    then coalesce((select received_tli from pg_stat_wal_receiver),
      (select greatest(timeline_id, (select min_recovery_end_timeline from pg_control_recovery())) from pg_control_checkpoint()))
    else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end,
  'lsn=' || case when recovery then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
  'receive_lsn=' || coalesce(pg_last_wal_receive_lsn()::text, '-'),
  'streaming=' || case when case when recovery then exists (select from pg_stat_wal_receiver where status = 'streaming')
    else exists (select from pg_stat_replication where application_name = 'standby_$peer' and state = 'streaming') end then 'yes' else 'no' end,
  'lag_bytes=' || coalesce(case when not recovery then (select max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))
    from pg_stat_replication where application_name = 'standby_$peer')::text end, '-'),
  'data_size=' || coalesce(case when not recovery and not exists (select from pg_stat_replication where application_name = 'standby_$peer')
    then (select sum(pg_database_size(oid))::bigint from pg_database)::text end, '-'),
  'upstream=' || coalesce(substring(conninfo from 'host=''?([^ '']+)') || ':' || coalesce(substring(conninfo from 'port=''?([^ '']+)'), '5432'), '-'),
  'quarantine=' || case when recovery and conninfo = '' then 'yes' else 'no' end,
  'paused=' || case when case when recovery then pg_is_wal_replay_paused() end then 'yes' else 'no' end,
  'apply_delay=' || current_setting('recovery_min_apply_delay'),
  'foreign_senders=' || (select count(*) from pg_stat_replication where application_name is distinct from 'standby_$peer'),
  'senders=' || coalesce((select string_agg(concat_ws(':', pid, $(b64_sql application_name), $(b64_sql usename), $(b64_sql "host(client_addr)"), coalesce(slot, '-'), coalesce(type, '-'), coalesce(state, '-')), ',')
    from (select s.*, r.slot_name as slot, r.slot_type as type from pg_stat_replication s left join pg_replication_slots r on r.active_pid = s.pid
      where application_name is distinct from 'standby_$peer' order by s.pid limit 20) as sender), '-'),
  'logical_slots=' || coalesce((select string_agg(concat_ws(':', slot_name, plugin, coalesce(facts->>'failover', '-'), coalesce(facts->>'synced', '-')), ',')
    from (select *, to_jsonb(r) as facts from pg_replication_slots r where slot_type = 'logical' and not temporary and slot_name <> '$delta_slot' order by slot_name limit 50) as slot), '-'),
  'kept_names=' || case when not recovery and current_setting('synchronous_standby_names') = '' then coalesce(nullif($(b64_sql "current_setting('standby.kept_synchronous_standby_names', true)"), ''), '-') else '-' end,
  'other_slots=' || (select count(*) from pg_replication_slots where slot_name not in ('standby_$peer', 'standby_$site')),
  'async_overrides=' || (select count(*) from pg_db_role_setting where 'synchronous_commit=off' = any (setconfig)),
  'prepared_transactions=' || (select count(*) from pg_prepared_xacts),
  'leftovers=' || coalesce((select string_agg(distinct name, ',') from
    (select name, setting from pg_settings union all select name, setting from pg_file_settings) as each_setting
    where setting <> '' and name in ('recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time',
      'recovery_target_xid', 'promote_trigger_file', 'recovery_end_command')), '-'),
  (select string_agg('set.' || name || '=' || case when name <> 'archive_command' then setting
      when setting in ('', '(disabled)') and library = '' then '-' else encode(sha256(convert_to(setting || library, 'UTF8')), 'hex') end, E'\n')
    from pg_settings where name in ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions',
      'max_locks_per_transaction', 'wal_level', 'wal_log_hints', 'data_checksums', 'fsync', 'full_page_writes', 'synchronous_commit',
      'synchronous_standby_names', 'archive_mode', 'archive_command', 'max_slot_wal_keep_size', 'hot_standby')))
from (select pg_is_in_recovery() as recovery, current_setting('primary_conninfo') as conninfo, $(archive_sql) as library) as server
SQL
}
