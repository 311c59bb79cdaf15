#!/bin/sh
# owned: who owns PostgreSQL here now, and whether the units are as the guard wrote them. Functions only; of the guard and of observe.
# shellcheck disable=SC2154,SC2034 # lib.sh and owner.sh set them

# Where the running server lives: unit, session, other, or - where there is none or no systemd.
owner_word() {
  if [ -z "$unit" ] || ! postmaster; then printf -- '-' && return 0; fi
  case $(cat "/proc/$pid/cgroup" 2>/dev/null) in
  */"$unit"*) printf unit ;;
  *session-*.scope* | */user@*) printf session ;;
  *) printf other ;;
  esac
}

# For observe. units: same | differ | missing | - (no systemd).
owner_facts() {
  fact unit "${unit:--}"
  fact owner "$(owner_word)"
  if [ -z "$unit" ]; then
    fact units -
    fact start_conf -
    return 0
  fi
  recall units
  units=differ
  if [ ! -e "$bond" ] || [ -z "$recalled" ]; then units=missing; elif [ "$(units_sum)" = "$recalled" ] && is_enabled; then units=same; fi
  fact units "$units"
  fact start_conf "$(start_conf)"
}
is_enabled() { [ "$(systemctl is-enabled "standby-hold@$name.service" "standby-guard@$name.service" 2>/dev/null | sort --unique)" = enabled ]; }

unit_files() { printf '%s\n' "$units_folder/standby-hold@$name.service" "$units_folder/standby-guard@$name.service" "$bond"; }
units_sum() { unit_files | { while IFS= read -r unit_file; do cat "$unit_file"; done; } 2>/dev/null | sha256sum | cut --characters=1-64; }
start_conf() {
  case $unit in postgresql@*) ;; *) printf -- '-' && return 0 ;; esac
  start_word
}
