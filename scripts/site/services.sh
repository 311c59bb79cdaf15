#!/bin/sh
# services: starts, stops or looks at the application's services at this site.
# Input: action=start|stop|check, kinds=web|worker|all; for check also value=running|stopped, if that must hold.
# Facts: service.NAME=running|stopped for each service of these kinds.
# Danger: a service is gone when its health check fails, not when its stop command returns.
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  split_services
  case $action in
  start)
    enter_transition
    start_services
    ;;
  stop)
    enter_transition
    stop_services
    ;;
  check) ;;
  *) fault "services cannot '$action'" "call it with action=start, stop or check" ;;
  esac
  tell_services
}

# Three quarters of the step's time: the rest is for the lock, for telling and for the way back.
enter_transition() {
  take_lock
  adopt
  bound=$(((step_bound * 3 + 3) / 4))
  deadline_in "$bound"
}

# One folder per service, numbered as given: name, kind, wave and the three commands.
split_services() {
  count=0
  while IFS= read -r line; do
    text=${line#*=}
    case $line in
    service=*)
      count=$((count + 1))
      mkdir "$work/$count"
      printf '%s\n' "${text%% *}" >"$work/$count/name"
      text=${text#* }
      printf '%s\n' "${text%% *}" >"$work/$count/kind"
      printf '%s\n' "${text#* }" >"$work/$count/wave"
      ;;
    service_*=*)
      verb=${line%%=*}
      printf '%s\n' "$text" >"$work/$count/${verb#service_}"
      ;;
    *) ;;
    esac
  done <<SERVICES
$services
SERVICES
}

# services_of KIND [WAVE]: their numbers, if the kind is asked for.
services_of() {
  at=0
  case $kinds in all | "$1") ;; *) return 0 ;; esac
  while [ "$at" -lt "$count" ]; do
    at=$((at + 1))
    read -r its_kind <"$work/$at/kind"
    read -r its_wave <"$work/$at/wave"
    if [ "$its_kind" = "$1" ] && [ "${2:-$its_wave}" = "$its_wave" ]; then printf '%s ' "$at"; fi
  done
}

# call NUMBER VERB BOUND: runs the user's command as if a person had typed it: without what lib.sh sets for
# its own psql (an application that inherits PGOPTIONS would commit under other rules), and without the
# lock's descriptor, which a daemon would keep.
call() (
  umask 022
  unset PGOPTIONS PGPASSFILE PGAPPNAME PGCONNECT_TIMEOUT LC_ALL TZ
  exec timeout -k 1 "$3" sh "$work/$1/$2" </dev/null >"$work/$1/$2.out" 2>&1 9>&-
)
running() { call "$1" healthy 2; }

# All of one kind at once; the workers first, so that no job is taken whose web half is gone.
stop_services() {
  for group in worker web; do
    members=$(services_of "$group")
    for each in $members; do call "$each" stop "$bound" & done
    wait
    for each in $members; do wait_for "$each" stopped; done
    checkpoint "stopped-$group"
  done
}

# Wave by wave; a wave begins when all of the one before are healthy.
start_services() {
  waves=$(sort --numeric-sort --unique "$work"/*/wave 2>/dev/null) || waves=''
  for wave in $waves; do
    members="$(services_of worker "$wave")$(services_of web "$wave")"
    for each in $members; do { running "$each" || call "$each" start "$bound"; } & done
    wait
    for each in $members; do wait_for "$each" running; done
    checkpoint "started-wave-$wave"
  done
}

# wait_for NUMBER running|stopped
wait_for() {
  until [ "$(state_of "$1")" = "$2" ]; do
    if ! in_time; then
      read -r its_name <"$work/$1/name"
      case $2 in running) its_verb=start ;; *) its_verb=stop ;; esac
      tail --lines=5 "$work/$1/$its_verb.out" "$work/$1/healthy.out" >&2 2>/dev/null || :
      later "service $its_name is not $2 after $bound s" "look at the service at site $site, then run pulumi up again"
    fi
    sleep 0.02
  done
}
state_of() { if running "$1"; then echo running; else echo stopped; fi; }

tell_services() {
  wrong=''
  for each in $(services_of worker) $(services_of web); do
    read -r its_name <"$work/$each/name"
    its_state=$(state_of "$each")
    fact "service.$its_name" "$its_state"
    if [ "$its_state" != "${value:-$its_state}" ]; then wrong="$wrong $its_name"; fi
  done
  if [ -n "$wrong" ]; then later "not $value:$wrong" "look at these services at site $site, then run pulumi up again"; fi
}
