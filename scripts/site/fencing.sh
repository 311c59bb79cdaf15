#!/bin/sh
# fencing: how the guard ends a writable server, and what it says of itself. Functions only, put behind watch.sh.
# Danger: it takes no lock, for a verb that hangs must not hold it up. So it ends the one process that was judged.
# shellcheck disable=SC2154,SC2034 # lib.sh, query.sh and watch.sh set them

# The signal first, then no new request, then the server; whatever fails, the server is ended.
fence_site() {
  say "fences this site: $reason"
  # What is only missing may come back: then the guard takes its own signal away again (admit.sh).
  case $verdict in
  cut-off) (hold_signal cut-off) || say "standby.signal cannot be placed in $data" ;;
  *) (place_signal) || say "standby.signal cannot be placed in $data" ;;
  esac
  checkpoint guard-signal-placed
  if [ ! -e "$state/maintenance" ]; then keep maintenance "guard $own_epoch"; fi
  end_server "$writable_pid"
  printf '%s fenced: %s\n' "$(date --utc --iso-8601=seconds)" "$reason" >>"$state/log/guard" || :
  give_to_owner "$state/log/guard" || :
  # The rest may take longer than a watchdog waits.
  heartbeat || :
  if [ -n "$maintenance_on" ]; then own "$maintenance_on"; fi
  stop_kind web
  stop_kind worker
  say "this site is fenced"
}

# INT ends all sessions at once; what holds up the rest of the stop gets QUIT and KILL within the bound. Only the
# process that was judged is ended, not one that a verb has started since.
end_server() {
  for step in "INT $((stop - 50))" "QUIT 40" "KILL 10"; do
    kill -s "${step% *}" "$1" 2>/dev/null || :
    now
    until=$((now + ${step#* }))
    while is_alive "$1" && now && [ "$now" -lt "$until" ]; do sleep 0.02; done
    if ! is_alive "$1" && [ -z "$(data_processes)" ]; then return 0; fi
  done
  # A postmaster that was killed leaves sessions, and a session may still acknowledge.
  if ! postmaster; then
    for link in $(data_processes); do
      link=${link#/proc/}
      kill -s KILL "${link%/cwd}" 2>/dev/null || :
    done
  fi
}

# A command of the user's, without what lib.sh sets for its own psql.
own() (
  unset PGOPTIONS PGPASSFILE PGAPPNAME PGCONNECT_TIMEOUT LC_ALL TZ
  exec timeout --kill-after=1 10 sh -c "$1" </dev/null >>"$state/log/guard" 2>&1 7>&- 8>&-
)
stop_kind() {
  kind_now=''
  while IFS= read -r line; do
    case $line in
    service=*)
      kind_now=${line#service=* }
      kind_now=${kind_now%% *}
      ;;
    service_stop=*) if [ "$kind_now" = "$1" ]; then own "${line#service_stop=}" & fi ;;
    *) ;;
    esac
  done <<SERVICES
$services
SERVICES
  wait || :
}

# A site that serves again needs its web listener: what the guard closed, it opens; where it opened the site by itself, it starts
# the services that it stopped. `held` is left until then.
open_again() {
  if [ -e "$data/standby.signal" ]; then return 0; fi
  case $pid_status in ready*) ;; *) return 0 ;; esac
  recall maintenance
  case $recalled in
  'guard '*)
    if [ -e "$state/held" ]; then start_services 7>&- 8>&- & fi
    forget maintenance
    if [ -n "$maintenance_off" ]; then own "$maintenance_off" || :; fi
    ;;
  *) ;;
  esac
  if [ -e "$state/held" ]; then forget held; fi
}
start_services() {
  start=''
  while IFS= read -r line; do
    case $line in
    service_start=*) start=${line#service_start=} ;;
    service_healthy=*) if ! own "${line#service_healthy=}"; then own "$start" || :; fi ;;
    *) ;;
    esac
  done <<SERVICES
$services
SERVICES
}

# For the service manager: PostgreSQL never runs without its guard. The boot part decides how it starts again.
guard_halt() {
  watch_settings
  if postmaster; then end_server "$pid"; fi
  if postmaster; then fault "PostgreSQL is still running" "end it by hand"; fi
}

guard_status() {
  watch_settings
  guard_facts
  fact veto_bound "$(((poll + 4 * ask + stop) * 10))"
  fact guard_bound "$((bound * 10))"
  recall obeyed
  fact obeyed "${recalled:--}"
  if postmaster; then fact postgresql running; else fact postgresql down; fi
  if [ -e "$data/standby.signal" ]; then fact signal yes; else fact signal no; fi
}
