#!/bin/sh
# runner: carries the parts of one step to their sites, one after the other. Runs where pulumi runs.
# Environment: RUN, DIGEST, FACTS and SECRET, the last two key=value, one a line. stdout: the facts of the parts. stderr:
# talk for people.
# The step's own text defines site_lib, verb_*, enter_a, enter_b and main; see commandOf in plan/render/command.ts.
# Danger: what a site says is data. A login shell, a wrapper or a motd may print around it, so facts are heard only between
# two marks that this run made; and a fact goes on only where the step's own text sends it.
# Every process costs a millisecond or two of an outage, so what the shell can do itself it does.
# shellcheck disable=SC2154 # d: the folder that the create line made
set -u
umask 077
work=${d:-} called=''
if [ -z "$work" ]; then work=$(mktemp -d) || exit 75; fi
# A text that was cut short never calls main: that is no success.
trap 'if [ -z "${d:-}" ]; then rm -rf "$work"; fi; if [ -z "$called" ]; then exit 75; fi' EXIT
result=0 own=0 facts='' given='' identity='' kept='' beside_job='' mark=''
# Who runs this, for the way to a site. macOS has no /proc.
# shellcheck disable=SC2034 # enter_a and enter_b read uid
if [ -r /proc/self/status ]; then while read -r label uid _; do if [ "$label" = Uid: ]; then break; fi; done </proc/self/status; else uid=$(id -u); fi

# A line key=value: none such can end the here-document that it travels in.
is_fact() {
  case ${1%%=*} in '' | "$1" | [!a-z]* | *[!A-Za-z0-9_.-]*) return 1 ;; *) return 0 ;; esac
}

# What the step was given: run id, digest, facts of earlier steps, the password. No child inherits it from here on. The
# arguments name the facts on which this or another step builds: only parts that are to give one are heard about it.
take_facts() { # NAME...
  called=yes
  kept=" $* password "
  if [ -r /proc/sys/kernel/random/uuid ]; then read -r mark </proc/sys/kernel/random/uuid; else mark=$(od -A n -N 16 -t x4 /dev/urandom | tr -d ' \n'); fi
  identity="run=${RUN:-}
digest=${DIGEST:-}
"
  while IFS= read -r line; do
    case $line in
    *[[:cntrl:]]*) ;;
    *) if is_fact "$line"; then given="$given$line
"; fi ;;
    esac
  done <<GIVEN
${FACTS:-}
${SECRET:-}
GIVEN
  unset RUN DIGEST FACTS SECRET
}

# What runs at the site, as one word for whatever shell logs in there (bash, fish and tcsh read it alike): so it holds no
# single quote and no exclamation mark, and its lines become one.
# - Its first line of input is `exit 75`, for any other shell that should get hold of this text; and whoever has read from
#   it already is found out by it.
# - Output goes to files: no pipe of the connection reaches a verb or a server it starts. The files have no name any more
#   when the verb begins, so that nothing is left behind however it ends. A plain part leaves nobody who holds them.
site_shell=''
while IFS= read -r line; do site_shell="$site_shell $line"; done <<'SITE_SHELL'
tell() { printf "\n%s\n" "$1"; };
finish() { tell "end $m $1"; exit "$1"; };
tell "begin $m"; tell "begin $m" >&2;
IFS= read -r l;
test "$l" = "exit 75 # $m" || { echo "a login script reads the standard input of the commands that run here" >&2; echo "HINT: let it end early where it is not interactive, then run pulumi up again." >&2; finish 77; };
command -v timeout >/dev/null || { echo "timeout is not found on this host" >&2; echo "HINT: install coreutils there." >&2; finish 77; };
if test "$how" = plain; then timeout -k 2 "$b" sh -s; finish $?; fi;
umask 077; d=$(mktemp -d) || finish 75; exec 3>"$d/o" 4<"$d/o" 5>"$d/e" 6<"$d/e"; rm -rf "$d" >/dev/null 2>&1 &
timeout -k 2 "$b" sh -s >&3 2>&5 3>&- 4<&- 5>&- 6<&-; r=$?;
show() { while IFS= read -r l || test -n "$l"; do printf "%s\n" "$l"; done; };
show <&4; show <&6 >&2; finish "$r"
SITE_SHELL

# part SITE VERB BOUND [plain] [gives:NAME]... [NEW=OLD]...: stdin is the part's input. It is told no facts but those that
# NEW=OLD names: what an earlier part or step gave as OLD, under the name NEW.
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
  own=$result made=$work/beside gives=''
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
  place=$1 verb=$2 bound=$3 input='' how='' gives=' '
  shift 3
  while IFS= read -r line; do
    input="$input$line
"
  done
  for word in "$@"; do
    case $word in
    plain) how=plain ;;
    gives:*) gives="$gives${word#gives:} " ;;
    *) input="${word%%=*}=$(newest "${word#*=}")
$input" ;;
    esac
  done
}

# The site's own input comes last: nothing that was handed on replaces it.
carry() {
  {
    printf 'exit 75 # %s\n' "$mark"
    site_lib "verb_$verb"
    printf "\nmain <<'STANDBY_INPUT'\n%s%sSTANDBY_INPUT\n" "$identity" "$input"
  } | "enter_$place" "exec sh -c 'm=$mark b=$bound how=$how; $site_shell'" >"$made.out" 2>"$made.err"
}

# The facts and the talk of a part that ended, and how it ended: what the site itself says after the facts, which no
# wrapper can change. Sets `unended` where the connection ended well, but without that word.
hear() {
  begun='' ended='' noise='' unended='' heard=' '
  while IFS= read -r line || [ -n "$line" ]; do
    case $begun$line in
    "begin $mark") begun=yes ;;
    "yesend $mark "*)
      ended=${line##* }
      break
      ;;
    yes*) take_fact "$line" ;;
    *) noise=${noise:-$line} ;;
    esac
  done <"$made.out"
  if [ -s "$made.err" ]; then talk_of_part >&2; fi
  if [ -n "$noise" ]; then noise=$(printf '%.60s' "$noise" | tr -c 'A-Za-z0-9._:/=,+-' '_'); fi
  if [ -n "$begun" ] && [ -n "$noise" ]; then printf 'noise.%s=%s\n' "$place" "$noise"; fi
  case $ended in
  '' | *[!0-9]*) hear_no_end ;;
  *) result=$ended ;;
  esac
  case $result in
  0 | 75 | 77 | 255) ;;
  124 | 137) talk "site $place: $verb took longer than $bound s; what it did is unknown" "run pulumi up again: it looks again before it acts." ;;
  *) talk "site $place: $verb failed with status $result" "read the lines above, then run pulumi up again." ;;
  esac
}

# Unknown, whatever the connection's own status says: neither done nor refused.
hear_no_end() {
  if [ "$result" = 0 ]; then unended=yes; fi
  if [ -n "$begun" ]; then
    talk "site $place: $verb was cut off (status $result); what it did is unknown" "run pulumi up again: it looks again before it acts."
  elif [ "$result" = 255 ]; then
    talk "site $place: not reached; what it did is unknown" "restore the connection to site $place, then run pulumi up again: it looks again before it acts."
  else
    talk "site $place: the login shell did not run what it was given (status $result${noise:+, it printed $noise}); what it did is unknown" "log in there as pulumi does and run: sh -c true; a start-up file such as ~/.bashrc, or a forced command, ends or replaces it. Then run pulumi up again."
  fi
  result=255
}

# Danger: a fact on which anything builds is heard from nobody but the part that is to give it.
take_fact() {
  is_fact "$1" || return 0
  case ${1#*=} in *[!A-Za-z0-9._:/=,+-]*) return 0 ;; *) ;; esac
  case $gives in
  *" ${1%%=*} "*)
    facts="$facts$1
"
    heard="$heard${1%%=*} "
    ;;
  *) case $kept in *" ${1%%=*} "*) return 0 ;; *) ;; esac ;;
  esac
  printf '%s\n' "$1"
}

# A part that ended well gave these facts. Where one was not heard, or the part's end was not, it counts as one that must be
# tried again, and what it did is taken back.
must_give() { # NAME...
  if [ -n "$unended" ]; then result=75; fi
  if [ "$result" != 0 ]; then return 0; fi
  for name in "$@"; do
    case $heard in
    *" $name "*) ;;
    *)
      talk "site $place: $verb ended, but its fact $name was not heard" "run pulumi up again; if it stays so, see what else writes to the output of a command there (~/.bashrc, a forced command)."
      result=75
      ;;
    esac
  done
}

# Danger: a program that fails may print what it was fed. No line with the password in it goes on, in none of the three
# spellings it has at a site: plain, as an SQL literal, and as a field of ~/.pgpass. What a login shell printed is left out.
talk_of_part() {
  secret=$(newest password) quiet=''
  if [ -n "$secret" ]; then
    literal=$(printf '%s\n' "$secret" | sed "s/'/''/g")
    field=$(printf '%s\n' "$secret" | sed 's/[\\:]/\\&/g')
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    if [ "$line" = "begin $mark" ]; then quiet=yes; fi
  done <"$made.err"
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    "begin $mark") quiet='' ;;
    *) if [ -z "$quiet" ]; then talk_line; fi ;;
    esac
  done <"$made.err"
}
talk_line() {
  if [ -n "$secret" ]; then
    case $line in *"$secret"* | *"$literal"* | *"$field"*) line='(line redacted: contains the password)' ;; *) ;; esac
  fi
  printf '%s\n' "$line"
}

# The newest fact of this name, of those that were given or handed on.
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
