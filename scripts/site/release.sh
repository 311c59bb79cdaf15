#!/bin/sh
# release: takes the guard away, so that nothing of the pair acts at this site any more. Databases, slots, roles and data stay.
# Facts: guard=-, start=auto|unchanged.
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  if [ -d "$state" ]; then
    take_lock
    # The program first: whoever supervises it finds nothing to start again.
    forget guard
    checkpoint guard-gone
    forget guard.conf
  fi
  fact guard -
  # As Debian sets it up; the pair had set it to manual.
  start_file="${config%/*}/start.conf"
  case $config in
  /etc/postgresql/*)
    if [ -e "$start_file" ]; then printf 'auto\n' >"$start_file"; fi
    fact start auto
    ;;
  *) fact start unchanged ;;
  esac
}
