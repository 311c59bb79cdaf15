#!/bin/sh
# runner: carries the parts of one step to their sites, one after the other. Runs where pulumi runs.
# Environment: RUN, DIGEST, FACTS and SECRET, the last two key=value, one a line. stdout: the facts of the parts. stderr:
# talk for people.
# The step's own text defines site_lib, verb_*, enter_a, enter_b and main; see commandOf in plan/render/command.ts.
# Every process costs a millisecond or two of an outage, so what the shell can do itself it does.
# shellcheck disable=SC2154 # d: the folder that the create line made
set -u
umask 077
work=${d:-} called=''
if [ -z "$work" ]; then work=$(mktemp -d) || exit 75; fi
# A text that was cut short never calls main: that is no success.
trap 'if [ -z "${d:-}" ]; then rm -rf "$work"; fi; if [ -z "$called" ]; then exit 75; fi' EXIT
result=0 own=0 facts='' given='' beside_job=''
# Who runs this, for the way to a site. macOS has no /proc.
# shellcheck disable=SC2034 # enter_a and enter_b read uid
if [ -r /proc/self/status ]; then while read -r label uid _; do if [ "$label" = Uid: ]; then break; fi; done </proc/self/status; else uid=$(id -u); fi

# A line key=value: none such can end the here-document that it travels in.
is_fact() {
  case ${1%%=*} in '' | "$1" | [!a-z]* | *[!A-Za-z0-9_.-]*) return 1 ;; *) return 0 ;; esac
}

# What the step was given: run id, digest, facts of earlier steps, the password. No child inherits it from here on.
take_facts() {
  called=yes
  while IFS= read -r line; do
    case $line in
    *[[:cntrl:]]*) ;;
    *) if is_fact "$line"; then given="$given$line
"; fi ;;
    esac
  done <<GIVEN
run=${RUN:-}
digest=${DIGEST:-}
${FACTS:-}
${SECRET:-}
GIVEN
  unset RUN DIGEST FACTS SECRET
}

# What runs at the site. Output goes to files: no pipe of the connection reaches a verb or a server it starts. The files have
# no name any more when the verb begins, so that nothing is left behind however it ends. A plain part leaves nobody who holds them.
# shellcheck disable=SC2016 # expanded at the site
site_shell='command -v timeout >/dev/null || { echo "timeout is not found on this host; install coreutils" >&2; exit 77; }
if [ "$how" = plain ]; then exec timeout -k 2 "$b" sh -s; fi
umask 077; d=$(mktemp -d) || exit 75; exec 3>"$d/o" 4<"$d/o" 5>"$d/e" 6<"$d/e"; rm -rf "$d" >/dev/null 2>&1 &
timeout -k 2 "$b" sh -s >&3 2>&5 3>&- 4<&- 5>&- 6<&-; r=$?
show() { while IFS= read -r l || test -n "$l"; do printf "%s\n" "$l"; done; }
show <&4; show <&6 >&2
exit "$r"'

# part SITE VERB BOUND [plain] [NEW=OLD...]: stdin is the part's input; NEW=OLD hands an earlier part's fact on under another
# name.
part() {
  made=$work/part
  take_input "$@"
  carry
  result=$?
  hear
  return "$result"
}

# The same, at the same time as the part that comes next; `joined` waits for it. Then `result` is the first that failed, and
# `own` is what that next part ended with.
beside() {
  made=$work/beside
  take_input "$@"
  carry &
  beside_job="$! $place $verb $bound"
}
joined() {
  own=$result made=$work/beside
  read -r job place verb bound <<JOB
$beside_job
JOB
  wait "$job"
  result=$?
  hear
  if [ "$result" != 0 ]; then return "$result"; fi
  result=$own
}

take_input() {
  place=$1 verb=$2 bound=$3 input='' how=''
  shift 3
  if [ "${1:-}" = plain ]; then
    how=plain
    shift
  fi
  while IFS= read -r line; do
    input="$input$line
"
  done
  for pair in "$@"; do input="${pair%%=*}=$(newest "${pair#*=}")
$input"; done
}

# What the run was given and the input come last: what a site says replaces neither.
carry() {
  {
    site_lib "verb_$verb"
    printf "\nmain <<'STANDBY_INPUT'\n%s%s%sSTANDBY_INPUT\n" "$facts" "$given" "$input"
  } | "enter_$place" "b=$bound how=$how; $site_shell" >"$made.out" 2>"$made.err"
}

# The facts and the talk of a part that ended.
hear() {
  if [ -s "$made.err" ]; then talk_of_part >&2; fi
  while IFS= read -r line; do
    case ${line#*=} in
    *[!A-Za-z0-9._:/=,+-]*) ;;
    *) if is_fact "$line"; then
      printf '%s\n' "$line"
      facts="$facts$line
"
    fi ;;
    esac
  done <"$made.out"
  case $result in
  0 | 75 | 77) ;;
  255) talk "site $place: not reached; what it did is unknown" "mend the way to site $place, then run pulumi up again: it looks again before it acts." ;;
  124 | 137) talk "site $place: $verb took longer than $bound s; what it did is unknown" "run pulumi up again: it looks again before it acts." ;;
  *) talk "site $place: $verb failed with status $result" "read the lines above, then run pulumi up again." ;;
  esac
}

# Danger: a program that fails may print what it was fed. No line with the password in it goes on, in none of the three
# spellings it has at a site: plain, as an SQL literal, and as a field of ~/.pgpass.
talk_of_part() {
  secret=$(newest password)
  if [ -z "$secret" ]; then
    cat "$made.err"
    return 0
  fi
  literal=$(printf '%s\n' "$secret" | sed "s/'/''/g")
  field=$(printf '%s\n' "$secret" | sed 's/[\\:]/\\&/g')
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    *"$secret"* | *"$literal"* | *"$field"*) printf '(a line with the password was left out)\n' ;;
    *) printf '%s\n' "$line" ;;
    esac
  done <"$made.err"
}

# The newest fact of this name.
newest() {
  found=''
  while IFS= read -r line; do
    case $line in "$1="*) found=${line#*=} ;; *) ;; esac
  done <<FACTS
$given$facts
FACTS
  printf '%s' "$found"
}

talk() {
  printf '%s\nHINT: %s\n' "$1" "$2" >&2
}
