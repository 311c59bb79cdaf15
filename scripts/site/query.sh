#!/bin/sh
# query: what the witness says. Functions only; shared by the verb witness and by the guard.
# Needs: zone witness_name servers keys (input keys of the same names).
# What is signed: `v=1 zone=ZONE name=WITNESS_NAME epoch=N from=SITE to=SITE kind=KIND key=ID`, see sites/witness.ts.
# Danger: DNS is a veto, never a grant. A signature proves who wrote a record, not that it is fresh,
# and whatever is not exactly one proper answer is "no answer", never "there is no witness".
# shellcheck disable=SC2154,SC2034 # lib.sh reads the input keys; the callers use what is set here

# witness_ask ADDRESS[#PORT]: prints the TXT content if this server gives exactly one proper answer.
witness_ask() {
  ask_port=53
  case $1 in *'#'*) ask_port=${1##*#} ;; *) ;; esac
  timeout -k 1 "${ask_bound:-2}" dig +norecurse +tcp +time=1 +tries=1 +noall +comments +answer \
    "@${1%#*}" -p "$ask_port" "$witness_name" TXT </dev/null 2>/dev/null | witness_parse
}

# Proper = NOERROR, aa, one answer, owned by the name asked for (a wildcard or alias answers for
# another), one string without quotes or escapes in it.
witness_parse() {
  ask_status='' ask_flags='' ask_count=0 ask_text=''
  while read -r ask_owner ask_ttl ask_class ask_type ask_rest; do
    case $ask_owner in
    ';;')
      case $ask_ttl in
      '->>HEADER<<-') ask_status=$ask_rest ;;
      flags:) ask_flags=" $ask_class $ask_type $ask_rest" ;;
      *) ;;
      esac
      ;;
    '' | ';'*) ;;
    *)
      ask_count=$((ask_count + 1))
      if [ "$ask_owner $ask_class $ask_type" = "$witness_name. IN TXT" ]; then ask_text=$ask_rest; fi
      ;;
    esac
  done
  case $ask_status in 'status: NOERROR,'*) ;; *) return 0 ;; esac
  case "${ask_flags%%;*} " in *' aa '*) ;; *) return 0 ;; esac
  [ "$ask_count" -eq 1 ] || return 0
  ask_text=${ask_text#\"}
  case ${ask_text%\"} in
  '' | *[\"\\]*) ;;
  *) printf '%s\n' "${ask_text%\"}" ;;
  esac
}

# witness_read CONTENT: sets w_epoch w_from w_to w_kind w_key w_sig, or w_problem and status 1.
witness_read() {
  w_problem='not a witness record'
  case $1 in *[!A-Za-z0-9+/=\ ]*) return 1 ;; *) ;; esac
  w_content=$1
  # shellcheck disable=SC2086 # the words are wanted, and no pattern character is left
  set -- $1
  [ "$#" -eq 7 ] && [ "$*" = "$w_content" ] || return 1
  w_epoch=${2#epoch=} w_from=${3#from=} w_to=${4#to=} w_kind=${5#kind=} w_key=${6#key=} w_sig=${7#sig=}
  [ "v=1 epoch=$w_epoch from=$w_from to=$w_to kind=$w_kind key=$w_key sig=$w_sig" = "$w_content" ] || return 1
  case $w_epoch in '' | 0* | *[!0-9]* | ????????????????*) return 1 ;; *) ;; esac
  case $w_from$w_to in aa | ab | ba | bb) ;; *) return 1 ;; esac
  case $w_kind in initial | switchover | failover | resume) ;; *) return 1 ;; esac
  case $w_key in *[!0-9a-f]* | '') return 1 ;; *) ;; esac
  [ "${#w_sig}" -eq 88 ] || return 1
  w_problem=''
}

# witness_valid CONTENT FOLDER: reads it and checks its signature; work files go to FOLDER (0700).
# The key's head of twelve bytes is the same for every Ed25519 key; the raw 32 bytes follow it.
witness_valid() {
  witness_read "$1" || return 1
  w_raw=''
  for each in $keys; do
    if [ "${each%%=*}" = "$w_key" ]; then w_raw=${each#*=}; fi
  done
  w_problem="signed by unknown key $w_key"
  [ -n "$w_raw" ] || return 1
  # Verified before, by the same key: the signature need not be computed again at each poll.
  if [ "${w_verified:-}" = "$w_raw $1" ]; then
    w_problem=''
    return 0
  fi
  printf '%s\n%s%s\n%s\n' '-----BEGIN PUBLIC KEY-----' 'MCowBQYDK2VwAyEA' "$w_raw" \
    '-----END PUBLIC KEY-----' >"$2/key"
  printf 'v=1 zone=%s name=%s epoch=%s from=%s to=%s kind=%s key=%s' \
    "$zone" "$witness_name" "$w_epoch" "$w_from" "$w_to" "$w_kind" "$w_key" >"$2/text"
  printf '%s\n' "$w_sig" >"$2/signature64"
  w_problem="signature of key $w_key does not fit zone $zone, name $witness_name and content"
  openssl base64 -d -A -in "$2/signature64" -out "$2/signature" </dev/null 2>/dev/null || return 1
  timeout -k 1 5 openssl pkeyutl -verify -rawin -pubin -inkey "$2/key" -sigfile "$2/signature" \
    -in "$2/text" </dev/null >/dev/null 2>&1 || return 1
  w_problem='' w_verified="$w_raw $1"
}

# witness_look FLOOR: asks every server at once. Sets look_of (servers), look_answers (those that gave
# the newest valid value), look_state = none | one | doubt, look_epoch look_from look_to look_kind.
# Records that are invalid or older than epoch FLOOR are reported and ignored.
witness_look() {
  look_of=0 look_answers=0 look_state=none look_epoch=0 look_from='' look_to='' look_kind=''
  look_folder=$(mktemp -d) || return 0
  for each in $servers; do
    look_of=$((look_of + 1))
    witness_ask "$each" >"$look_folder/$look_of" &
  done
  wait || :
  look_known='' look_at=0
  for look_server in $servers; do
    look_at=$((look_at + 1))
    if read -r look_text <"$look_folder/$look_at"; then
      witness_judge "$1"
    else
      printf 'witness: %s gives no answer\n' "$look_server" >&2
    fi
  done
  rm -rf "$look_folder"
}

# One answer: look_text of look_server.
witness_judge() {
  if [ "$look_text" != "$look_known" ]; then
    look_known=''
    if ! witness_valid "$look_text" "$look_folder"; then
      printf 'witness: answer of %s ignored: %s\n' "$look_server" "$w_problem" >&2
      return 0
    fi
    look_known=$look_text
  fi
  if [ "$w_epoch" -lt "$1" ]; then
    printf 'witness: answer of %s ignored: epoch %s is older than %s\n' "$look_server" "$w_epoch" "$1" >&2
  elif [ "$w_epoch" -gt "$look_epoch" ]; then
    look_epoch=$w_epoch look_from=$w_from look_to=$w_to look_kind=$w_kind look_answers=1 look_state=one
  elif [ "$w_epoch" -eq "$look_epoch" ]; then
    if [ "$w_from $w_to $w_kind" = "$look_from $look_to $look_kind" ]; then
      look_answers=$((look_answers + 1))
    else
      printf 'witness: two values of epoch %s\n' "$w_epoch" >&2
      look_state=doubt
    fi
  fi
}

# look_at_guard: what the running guard says of itself. A guard that is stopped or gone shows an old heartbeat, and
# whatever it once said of itself no longer counts.
look_at_guard() {
  live_pid='' live_boot='' live_at=0 live_supervised=no live_isolation=- live_armed=no live_bound=0
  if [ -r "$state/guard.live" ]; then
    read -r live_pid live_boot live_at live_supervised live_isolation live_armed live_bound <"$state/guard.live" || :
  fi
  guard_running=no
  read -r live_now </proc/sys/kernel/random/boot_id
  now
  if [ "$live_boot" = "$live_now" ] && [ $(((now - live_at) * 10)) -lt "$live_bound" ] && is_alive "$live_pid"; then
    guard_running=yes
  else
    live_supervised=no live_armed=no
  fi
}
guard_facts() {
  look_at_guard
  fact guard_running "$guard_running"
  fact guard_supervised "$live_supervised"
  fact guard_isolation "$live_isolation"
  fact guard_armed "$live_armed"
}
