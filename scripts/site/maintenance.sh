#!/bin/sh
# maintenance: value=on|off. A file in the state folder that web servers may look at, and the user's own command if there is one.
# Facts: maintenance=on|off.
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  take_lock
  adopt
  case $value in
  on)
    if [ ! -e "$state/maintenance" ]; then store maintenance "$epoch"; fi
    checkpoint maintenance-marked
    own_command "$maintenance_on"
    ;;
  off)
    own_command "$maintenance_off"
    checkpoint maintenance-command-done
    if [ -e "$state/maintenance" ]; then forget maintenance; fi
    ;;
  *) fault "maintenance cannot be '$value'" "call it with value=on or value=off" ;;
  esac
  fact maintenance "$value"
}

own_command() {
  if [ -z "$1" ]; then return 0; fi
  (
    unset PGOPTIONS PGPASSFILE PGAPPNAME PGCONNECT_TIMEOUT LC_ALL TZ
    exec timeout -k 1 "$(((step_bound * 3 + 3) / 4))" sh -c "$1" </dev/null >&2 9>&-
  ) ||
    later "the command for maintenance $value failed with status $?: $1" "run it by hand at site $site, then run pulumi up again"
}
