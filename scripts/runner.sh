#!/bin/sh
# runner: carries the parts of one step to their sites, one after the other. Runs where pulumi runs.
# stdin of main: facts, key=value, one a line. stdout: the facts of the parts. stderr: talk for people.
# The step's own text defines site_lib, verb_*, enter_a, enter_b and main; see commandOf in plan/render/command.ts.
set -u
umask 077
work=$(mktemp -d) || exit 75
trap 'rm -rf "$work"' EXIT
result=0

# Facts are checked on the way in: no line can end the here-document they travel in.
take_facts() {
  grep -E '^[a-z][a-z0-9_.]*=[^[:cntrl:]]*$' >"$work/facts" || true
}

# What runs at the site. Output goes to files: no pipe of the connection reaches a verb or a server it starts.
# shellcheck disable=SC2016 # expanded at the site
site_shell='umask 077; d=$(mktemp -d) || exit 75; timeout -k 2 "$b" sh -s >"$d/o" 2>"$d/e"; r=$?; cat "$d/o"; cat "$d/e" >&2; rm -rf "$d"; exit "$r"'

# part SITE VERB BOUND [NEW=OLD...]: stdin is the part's input; NEW=OLD hands an earlier part's fact on under another name.
part() {
  place=$1 verb=$2 bound=$3
  shift 3
  cat >"$work/input"
  for pair in "$@"; do
    sed -n "s/^${pair#*=}=/${pair%%=*}=/p" "$work/facts" | tail -n 1 >>"$work/input"
  done
  {
    site_lib
    "verb_$verb"
    printf "\nmain <<'STANDBY_INPUT'\n"
    cat "$work/input" "$work/facts"
    printf 'STANDBY_INPUT\n'
  } | "enter_$place" "b=$bound; $site_shell" >"$work/out" 2>"$work/err"
  result=$?
  cat "$work/err" >&2
  grep -E '^[a-z][a-z0-9_.]*=[A-Za-z0-9._:/=,+-]*$' "$work/out" | tee -a "$work/facts"
  case $result in
  0 | 75 | 77) ;;
  255) talk "site $place: not reached; what it did is unknown" "mend the way to site $place, then run pulumi up again: it looks again before it acts." ;;
  124 | 137) talk "site $place: $verb took longer than $bound s; what it did is unknown" "run pulumi up again: it looks again before it acts." ;;
  *) talk "site $place: $verb failed with status $result" "read the lines above, then run pulumi up again." ;;
  esac
  return "$result"
}

talk() {
  printf '%s\nHINT: %s\n' "$1" "$2" >&2
}
