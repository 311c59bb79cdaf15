#!/bin/sh
# handOn: carries one file from a site to the other, through the machine that runs this. Put behind runner for `standby delta`.
# Both paths travel on standard input, so no shell reads them. What a login shell prints is left out by the mark, as in runner.
# shellcheck disable=SC2154 # runner.sh sets them

# hand_on FROM TO: reads the path at FROM, then the path at TO. The file there is whole or absent; who uses it compares its
# hash, for a connection that breaks ends it early.
hand_on() {
  read -r give_path
  read -r take_path
  # shellcheck disable=SC2016 # expanded at the sites
  give='IFS= read -r f; printf "\n%s\n" "begin $m"; exec cat "$f"'
  # shellcheck disable=SC2016 # likewise
  take='umask 077; IFS= read -r f; while IFS= read -r l; do test "$l" = "begin $m" && break; done; cat >"$f.new" && mv "$f.new" "$f"'
  printf '%s\n' "$give_path" | "enter_$1" "exec sh -c 'm=$mark; $give'" |
    { printf '%s\n' "$take_path" && cat; } | "enter_$2" "exec sh -c 'm=$mark; $take'" >/dev/null
}
