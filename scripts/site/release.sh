#!/bin/sh
# release: takes the guard away, so that nothing of the pair acts at this site any more. Databases, slots, roles and data stay,
# and the database goes on.
# Facts: guard=-, start=auto|manual|disabled|unchanged.
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  if [ -d "$state" ]; then
    take_lock
    # Danger: as long as PostgreSQL is bound to the guard, a guard that ends takes it along.
    leave_units
    checkpoint units-gone
    forget guard
    checkpoint guard-gone
    forget guard.conf
  fi
  fact guard -
  case $config in
  /etc/postgresql/*)
    if [ -z "$unit" ] && [ -e "${config%/*}/start.conf" ]; then printf 'auto\n' >"${config%/*}/start.conf"; fi
    fact start "$(start_word)"
    ;;
  *) fact start unchanged ;;
  esac
}

# The guard removes its own units. An account other than root can only look whether that was done.
leave_units() {
  if [ -z "$unit" ] || [ ! -e "$units_folder/standby-guard@$name.service" ]; then return 0; fi
  if [ -z "$switch_user" ]; then refuse "the units of the guard are installed here, and $(id -un) cannot remove them" "at site $site: sudo $state/guard leave; then run the update again"; fi
  "$state/guard" leave </dev/null >&2 9>&- || fault "the units of the guard were not removed" "look at the lines above, then run the update again"
}
