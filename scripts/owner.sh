#!/bin/sh
# owner: who starts PostgreSQL at a site, and the one way in which it is started and stopped. Put behind lib.sh.
# With systemd it is one unit: Debian's postgresql@V-N.service where configFile lies below /etc/postgresql, else one of ours.
# It is bound to the guard, and no start of it, by whomever, gets past `guard admit` (site/entry.sh). Without systemd, or
# before the guard is installed, it is the function start_postgres alone.
# Danger: a server that was started inside a login session dies with it, and a shutdown ends it beside its walsenders.
# shellcheck disable=SC2154,SC2034 # lib.sh sets them; the verbs and the guard use what is set here

units_folder=/etc/systemd/system unit='' bond=''

# Sets `unit`, the owner, and `bond`, the file that binds it to the guard; '' where there is no systemd. Danger: the lab's sites
# share the machine of whoever runs it. They set STANDBY_UNITS=none, and its systemd is left alone.
# read_input calls it, while nothing has put another value into `name` or `config`.
name_unit() {
  unit='' bond=''
  if [ "${STANDBY_UNITS:-}" = none ] || [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null 2>&1; then return 0; fi
  unit=standby-database@$name.service bond=$units_folder/$unit
  cluster=${config#/etc/postgresql/}
  # Debian's unit cannot start a cluster with a hyphen in its name: its %I would read it as a folder.
  case $config in
  /etc/postgresql/*/*-*/postgresql.conf) ;;
  /etc/postgresql/*/*/postgresql.conf)
    if [ -e /lib/systemd/system/postgresql@.service ]; then
      cluster=${cluster%/postgresql.conf}
      unit=postgresql@${cluster%%/*}-${cluster#*/}.service
      bond=$units_folder/$unit.d/standby-$name.conf
    fi
    ;;
  *) ;;
  esac
}
is_bound() { [ -n "$unit" ] && [ -e "$bond" ]; }

# What Debian's start.conf says; without the file, or with nothing in it, Debian takes auto.
start_word() {
  start_word=$(sed 's/#.*//; /^[[:space:]]*$/d; s/[[:space:]]//g' "${config%/*}/start.conf" 2>/dev/null) || start_word=''
  printf '%s' "${start_word:-auto}"
}

# As root, or by the one command that sudo lets another account run.
manager() {
  if [ -n "$switch_user" ] || [ "$(id -u)" = 0 ]; then systemctl "$@"; else sudo -n systemctl "$@"; fi
}

# Whatever an older life left behind must not make a standby promote itself: each recovery target and trigger is passed as empty.
server_options() {
  server_options="-c recovery_target= -c recovery_target_lsn= -c recovery_target_name= -c recovery_target_time= -c recovery_target_xid= -c recovery_target_timeline=latest -c recovery_end_command=$(version_options)"
}

# The only function that starts PostgreSQL, and waits until it answers.
# shellcheck disable=SC2120 # most callers add no option
start_postgres() { # [OPTIONS of the server]
  launch_postgres "$@"
  await_postgres $((step_bound * 3 / 4))
}
# shellcheck disable=SC2120 # most callers add no option
launch_postgres() { # [OPTIONS of the server]
  if postmaster; then return 0; fi
  if [ -n "$(data_processes)" ]; then fault "the postmaster is gone, but other processes still work in $data" "end them, then run the update again"; fi
  rm -f "$data/postmaster.pid" "$socket/.s.PGSQL.$port" "$socket/.s.PGSQL.$port.lock"
  as_owner mkdir -p "$state/log"
  launched_by=session launch_options=$*
  read -r boot </proc/sys/kernel/random/boot_id
  now
  keep started "$boot $now"
  if [ -z "${apart:-}" ] && is_bound; then launched_by=unit; fi
  if [ "$launched_by" = unit ]; then ask_unit; else start_here; fi
}

# Danger: a recovery that is ended begins anew. So a server that is alive is left alone, however long it takes; only this wait
# has an end. A server that is gone for 2 s, and that its unit is not about to start, has failed.
await_postgres() { # SECONDS
  deadline_in "$1"
  seen_at=$now told_at=$now
  while in_time; do
    if postmaster; then
      seen_at=$now
      case $pid_status in ready* | standby*) return 0 ;; *) ;; esac
    fi
    if [ $((now - seen_at)) -gt 200 ]; then
      unit_goes_on || break
      seen_at=$now
    fi
    if [ $((now - told_at)) -gt 1000 ]; then
      told_at=$now
      recovery_progress
      say "PostgreSQL is in recovery: at $recovery_at of about $recovery_of"
    fi
    sleep 0.01
  done
  if postmaster; then
    recovery_progress
    later "PostgreSQL is still in recovery after $1 s: at $recovery_at of about $recovery_of; it goes on" "run the update again when it is through; $state/log/server.log tells how far it is"
  fi
  tail --lines=5 "$state/log/server.log" >&2 || :
  if [ "${launched_by:-}" = unit ]; then say "see also: journalctl --unit=$unit --lines=20"; fi
  fault "PostgreSQL did not start: its process has ended" "read $state/log/server.log"
}

# Danger: descriptor 9 is closed, or the server would keep the lock for ever.
start_here() {
  server_options
  if [ -n "$config" ]; then server_options="$server_options -c config_file='$config'"; fi
  as_owner "$bindir/pg_ctl" start --no-wait --silent --pgdata="$data" --log="$state/log/server.log" --options="$server_options $launch_options" </dev/null >/dev/null 2>&1 9>&- || :
}

# The request is for the one start that it asks for: `guard admit` takes it, and believes it only while this process lives.
ask_unit() {
  keep start "$boot $$ $launch_options"
  manager start --no-block "$unit" </dev/null >&2 9>&- || fault "systemctl cannot start $unit" "look at the line above; an account other than root needs in /etc/sudoers.d: $(sudoers_line)"
}

# A unit that is still ending, or whose start belongs to a server that has just ended, comes to the request later; one that
# took the request and has no server has failed.
unit_goes_on() {
  [ "${launched_by:-}" = unit ] || return 1
  case $(systemctl is-active "$unit") in
  activating | deactivating | reloading) return 0 ;;
  *) ;;
  esac
  if [ ! -e "$state/start" ]; then return 1; fi
  ask_unit
}

# Debian's start goes on for 2 s after the server answers, and half a minute where it does not.
unit_is_starting() { is_bound && [ "$(systemctl is-active "$unit")" = activating ]; }

sudoers_line() { printf '%s ALL=(root) NOPASSWD: %s start --no-block %s' "$(id -un)" "$(command -v systemctl)" "$unit"; }

# The only function that stops PostgreSQL: one signal, then a look each few milliseconds. A look sees a zombie as dead, which
# kill -0 and tail --pid do not: where nobody reaps at once, they would wait for nothing inside the outage.
stop_postgres() { # SIGNAL SECONDS
  if ! postmaster; then return 0; fi
  kill -s "$1" "$pid"
  deadline_in "$2"
  while is_alive "$pid"; do
    if ! in_time; then return 1; fi
    sleep 0.004
  done
}
