#!/bin/sh
# lib: what all verbs share: input, facts, errors, the state folder, the lock, starting and stopping PostgreSQL.
# A verb is the library + scripts/GROUP/VERB.sh, with the files that it needs before it, + a call of `main` that hands it
# key=value lines. The library is this file and those that stand behind it: LIB in sites/guardProgram.ts. Nothing here acts by
# itself.
# shellcheck disable=SC2034 # the verbs use what is set here
set -eu
umask 077
export LC_ALL=C TZ=UTC
cd /

# Input. One line per key; a value is text to the end of its line and is never run as shell.
action='' accept_loss='' accept_unproven='' bindir='' config='' data='' database=postgres delta_epoch='' delta_slot='' digest='' discard_delta='' epoch='' follower_slots='' from='' guard=''
host='' keys='' kind='' kinds=all lag_limit=16777216 lock_wait=10 maintenance_off='' maintenance_on='' name=''
password='' peer='' peer_host='' peer_port='' port=5432 replication_user='' run='' servers='' site='' slot_keep=4GB
socket='' state='' step_bound=60 stop_bound=10 sequence_leap=10000 superuser=postgres to='' token='' value='' value_lsn=''
witness_bound='' witness_name='' zone=''
services='' # the service and follower lines as they came, one a line
home='' switch_user='' control_state='' pid='' recalled='' new=new

read_input() {
  while IFS= read -r input_line; do
    case $input_line in
    *[[:cntrl:]]*) refuse "a value of the input holds a control character" "write each value on one line, without tabs" ;;
    *=*) assign "${input_line%%=*}" "${input_line#*=}" ;;
    *) ;;
    esac
  done
  # Children must not read what is left of the script.
  exec </dev/null
  data_path=$data
  if cd -P "$data" 2>/dev/null; then
    data_path=$PWD
    cd /
  fi
  find_owner
  find_config
  find_programs
  name_unit
  set_sessions
  find_major
}

# Whatever a login file, a role or a database sets, our sessions are the same everywhere: it decides for its applications, never for
# the verbs. By startup options, so that the very first statement has them; what only a superuser may set stands in versions.sh.
# SQL_ASCII: bytes as they are stored, in either direction.
set_sessions() {
  for variable in $(env | sed -n 's/^\(PG[A-Z_]*\)=.*/\1/p'); do unset "$variable"; done
  export PGPASSFILE="$home/.pgpass" PGCONNECT_TIMEOUT=5 PGAPPNAME=standby
  # shellcheck disable=SC2089,SC2090 # libpq's own backslashes
  neutral_options="-c role=none -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off -c default_transaction_deferrable=off"
  neutral_options="$neutral_options -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0"
  neutral_options="$neutral_options -c search_path=pg_catalog -c client_encoding=SQL_ASCII -c client_min_messages=notice -c datestyle=ISO,\\ YMD -c intervalstyle=postgres"
  neutral_options="$neutral_options -c timezone=UTC -c extra_float_digits=1 -c bytea_output=hex -c xmlbinary=base64 -c xmloption=content -c array_nulls=on"
  neutral_options="$neutral_options -c transform_null_equals=off -c standard_conforming_strings=on -c backslash_quote=safe_encoding -c escape_string_warning=off"
  neutral_options="$neutral_options -c quote_all_identifiers=off -c row_security=on -c lc_monetary=C -c lc_numeric=C -c lc_time=C -c default_tablespace= -c temp_tablespaces="
  neutral_options="$neutral_options -c default_table_access_method=heap -c local_preload_libraries= -c check_function_bodies=on -c plpgsql.extra_errors=none"
  base_options="$neutral_options -c synchronous_commit=local"
}

assign() {
  case $1 in
  action) action=$2 ;; accept_loss) accept_loss=$2 ;; accept_unproven) accept_unproven=$2 ;; bindir) bindir=$2 ;;
  config) config=$2 ;; data) data=$2 ;; database) database=$2 ;; delta_epoch) delta_epoch=$2 ;; delta_slot) delta_slot=$2 ;; digest) digest=$2 ;; discard_delta) discard_delta=$2 ;; epoch) epoch=$2 ;;
  follower_slots) follower_slots=$2 ;; from) from=$2 ;; guard) guard=$2 ;; host) host=$2 ;; keys) keys=$2 ;; kind) kind=$2 ;; kinds) kinds=$2 ;;
  lag_limit) lag_limit=$2 ;; lock_wait) lock_wait=$2 ;; maintenance_off) maintenance_off=$2 ;;
  maintenance_on) maintenance_on=$2 ;; name) name=$2 ;; password) password=$2 ;; peer) peer=$2 ;;
  peer_host) peer_host=$2 ;; peer_port) peer_port=$2 ;; port) port=$2 ;;
  replication_user) replication_user=$2 ;; run) run=$2 ;; servers) servers=$2 ;; site) site=$2 ;;
  sequence_leap) sequence_leap=$2 ;; slot_keep) slot_keep=$2 ;; socket) socket=$2 ;; state) state=$2 ;; step_bound) step_bound=$2 ;;
  stop_bound) stop_bound=$2 ;; superuser) superuser=$2 ;; to) to=$2 ;; token) token=$2 ;; value) value=$2 ;;
  value_lsn) value_lsn=$2 ;; witness_bound) witness_bound=$2 ;; witness_name) witness_name=$2 ;; zone) zone=$2 ;;
  service | service_* | follower | follower_*) services="$services$1=$2
" ;;
  *) ;; # a key of a later version
  esac
}

# Facts go to stdout, talk to stderr. The runner reads nothing but facts.
fact() {
  case $2 in
  *[!A-Za-z0-9._:/=,+@-]*) printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr --complement 'A-Za-z0-9._:/=,+@-' '_')" ;;
  *) printf '%s=%s\n' "$1" "$2" ;;
  esac
}
say() { printf 'site %s: %s\n' "${site:-?}" "$1" >&2; }
give_up() {
  printf 'site %s: %s\nHINT: %s\n' "${site:-?}" "$2" "$3" >&2 || :
  exit "$1"
}
later() { give_up 75 "$@"; }
refuse() { give_up 77 "$@"; }
fault() { give_up 1 "$@"; }

# Tests kill a verb here; nobody else sets FAIL_AT.
checkpoint() { if [ "${FAIL_AT:-}" = "$1" ]; then kill -KILL $$; fi; }

# PostgreSQL's files belong to its own user. As that user nothing is switched, and switching costs nothing.
find_owner() {
  home=${HOME:-/} uid=''
  while read -r label uid _; do if [ "$label" = Uid: ]; then break; fi; done </proc/self/status
  if [ "$uid" != 0 ]; then return 0; fi
  switch_user=postgres
  if [ -d "$data" ]; then switch_user=$(stat --format=%U "$data"); fi
  home=$(getent passwd "$switch_user" | cut --delimiter=: --fields=6)
}
# Danger: with root's home psql looks for certificates where the owner may not look, and falls back to no encryption.
as_owner() {
  if [ -z "$switch_user" ]; then "$@"; else HOME=${home:-/} setpriv --reuid="$switch_user" --regid="$(id -g "$switch_user")" --init-groups "$@"; fi
}
# A file that root made would lock the owner out of its own state.
give_to_owner() { if [ -n "$switch_user" ]; then chown "$switch_user:" "$@"; fi; }

# The state folder. `store` is lasting; `keep` is whole or absent, but a crash may take it back.
recall() {
  recalled=''
  if [ -r "$state/$1" ]; then
    IFS= read -r recalled <"$state/$1" || :
  elif [ -e "$state/$1" ]; then
    # Danger: a record that cannot be read must not pass for no record.
    refuse "account $(id -un) may not read $state/$1" "as root at this site: chown --recursive --reference=$data $state; then run the update again"
  fi
}
keep() {
  printf '%s\n' "$2" >"$state/$1.$new"
  give_to_owner "$state/$1.$new"
  mv "$state/$1.$new" "$state/$1"
}
store() {
  printf '%s\n' "$2" >"$state/$1.$new"
  give_to_owner "$state/$1.$new"
  sync "$state/$1.$new"
  mv "$state/$1.$new" "$state/$1"
  sync "$state"
}
forget() { rm -f "$state/$1" && sync "$state"; }

# One writing verb at a time. Descriptor 9 holds the lock; a child that outlives its verb keeps holding it, so that the
# next verb waits for it. Only a server must not: see start_postgres.
take_lock() {
  if [ ! -x "$state" ]; then
    find_data
    if [ "$there" = unreadable ]; then cannot_tell; fi
  fi
  if [ ! -d "$state" ]; then refuse "the state folder $state is missing" "run the prepare step of this site first"; fi
  exec 9>>"$state/lock"
  give_to_owner "$state/lock"
  flock --wait "$lock_wait" 9 || later "another verb holds the lock of $state for more than $lock_wait s" "wait for it to end and run the update again"
}

# Store which transition and which run this is. Danger: of two runs at most one may go on, so older ones end here.
adopt() {
  case $epoch in *[!0-9]*) fault "the epoch '$epoch' is not a number" "call the verb with epoch=N" ;; *) ;; esac
  run_number=${run%%-*}
  case $run_number-${run#*-} in "$run") ;; *) run_number='' ;; esac
  case $run_number in '' | *[!0-9]*) fault "the run id '$run' is not N-RANDOM" "call the verb with run=N-RANDOM" ;; *) ;; esac
  recall run
  known_run=${recalled:-0-none}
  if [ "$run_number" -lt "${known_run%%-*}" ]; then refuse "run $run is older than run $known_run, which this site obeys" "run the update again"; fi
  if [ "$run_number" -eq "${known_run%%-*}" ] && [ "$run" != "$known_run" ]; then refuse "run $run has a rival, run $known_run" "let the other update end, then run this one again"; fi
  # The verbs before the witness come without an epoch: nothing is announced by them.
  if [ -z "$epoch" ]; then
    if [ "$run" != "$known_run" ]; then store run "$run"; fi
    return 0
  fi
  recall record
  record="epoch=$epoch from=$from to=$to kind=$kind"
  known_record=$recalled known_epoch=${recalled#epoch=}
  known_epoch=${known_epoch%% *}
  if [ "$epoch" -lt "${known_epoch:-0}" ]; then refuse "epoch $epoch is older than epoch $known_epoch, which this site obeys" "run the update again, it will take the newer epoch"; fi
  if [ "$epoch" = "$known_epoch" ] && [ "$record" != "$known_record" ]; then refuse "epoch $epoch is recorded here as '$known_record', asked was '$record'" "run the update again, it will take a newer epoch"; fi
  if [ "$run" != "$known_run" ]; then store run "$run"; fi
  checkpoint run-stored
  if [ "$record" != "$known_record" ]; then store record "$record"; fi
}

# Time in hundredths of a second that no clock change moves.
now() {
  read -r uptime _ </proc/uptime
  now=$((${uptime%.*} * 100 + 1${uptime#*.} - 100))
}
deadline_in() { now && deadline=$((now + $1 * 100)); }
in_time() { now && [ "$now" -lt "$deadline" ]; }

# SQL on stdin, at this site as superuser. `peer_sql` speaks to the other site as the replication user.
sql() { sql_in "$database"; }
sql_in() { # DATABASE, or a connection string that names one
  locally "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse \
    --host="$socket" --port="$port" --username="$superuser" --dbname="$1" --no-password
}
peer_sql() {
  as_owner timeout 10 "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --set=VERBOSITY=terse --no-password \
    "host=$peer_host port=$peer_port user=$replication_user dbname=$database connect_timeout=3 $*"
}
