#!/bin/sh
# install: puts the guard and its configuration into the state folder. The program itself travels in front of
# this file, as the function guard_program (sites/guardProgram.ts).
# Facts: guard (SHA-256 of the installed program), server_count (name servers it may ask).
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  # The first verb that writes at a new site: the folder is made here.
  make_state
  take_lock
  # Name servers that were found once are never replaced by none: a guard that can ask nobody is blind.
  if [ -z "$servers" ] && [ -r "$state/guard.conf" ]; then servers=$(sed -n 's/^servers=//p' "$state/guard.conf"); fi
  store guard.conf "$(guard_configuration)"
  checkpoint guard-configured
  install_program
  guard_hash=$(sha256sum "$state/guard")
  fact guard "${guard_hash%% *}"
  # shellcheck disable=SC2086 # one word a server
  set -- $servers
  fact server_count "$#"
  checkpoint guard-installed
  install_units
}

# The guard writes its own units. An account other than root can only look whether that was done.
install_units() {
  if [ -z "$unit" ]; then return 0; fi
  if [ -n "$switch_user" ]; then
    "$state/guard" units </dev/null >&2 9>&- || fault "the units of the guard were not installed" "look at the lines above, then run the update again"
    return 0
  fi
  lacks='' lines=''
  recall units
  if [ "$recalled" != "$("$state/guard" wanted)" ]; then
    lacks="the units of the guard are not installed here, and $(id -un) cannot install them" lines="sudo $state/guard units"
  fi
  if ! sudo -n --list "$(command -v systemctl)" start --no-block "$unit" >/dev/null 2>&1; then
    lacks="${lacks:+$lacks; }$(id -un) cannot start $unit" lines="${lines:+$lines; and }add to /etc/sudoers.d/standby: $(sudoers_line)"
  fi
  if [ -n "$lacks" ]; then refuse "$lacks" "at site $site: $lines; then run the update again"; fi
}

# What lib.sh reads back at boot. No secret is among it.
guard_configuration() {
  printf '%s=%s\n' name "$name" site "$site" peer "$peer" state "$state" data "$data" port "$port" \
    superuser "$superuser" database "$database" bindir "$bindir" config "$config" socket "$socket" host "$host" \
    peer_host "$peer_host" peer_port "$peer_port" replication_user "$replication_user" zone "$zone" \
    witness_name "$witness_name" servers "$servers" keys "$keys" guard "$guard" delta_slot "$delta_slot" \
    maintenance_on "$maintenance_on" maintenance_off "$maintenance_off"
  printf '%s' "$services"
}

# Whole or absent, like every file of the state folder.
install_program() {
  guard_program >"$state/guard.new"
  chmod 0700 "$state/guard.new"
  give_to_owner "$state/guard.new"
  sync "$state/guard.new"
  mv "$state/guard.new" "$state/guard"
  sync "$state"
}
