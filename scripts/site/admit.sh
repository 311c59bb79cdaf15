#!/bin/sh
# admit: whether this site may be the primary again, and the way there. Functions only, put behind guard.sh.
# Danger: no site becomes a primary on less than what its peer holds. All of this must speak for it, asked at that moment:
# - the signal is the guard's own (hold.sh), so nobody has fenced, followed or rejoined this site since;
# - the newest valid witness names this site, at an epoch not older than what is known here, and no token forbids it;
# - the peer says to a fresh number that it is the standby of that very epoch, and was never promoted after this site;
# - what the peer holds is on this site's own history, byte for byte, and ends no later than here.
# shellcheck disable=SC2154,SC2034 # lib.sh, query.sh, guard.sh and watch.sh set them

# Sets `reason`, in either case.
may_open() {
  witness_allows && fence_allows && peer_allows && holds_all || return 1
  reason="the witness of epoch $look_epoch names this site, and the peer is its standby and holds nothing more"
}

# The newest record any server answers, not older than what this site has stored.
witness_allows() {
  recall record
  own_record=$recalled
  own_epoch=${own_record#epoch=}
  own_epoch=${own_epoch%% *}
  recall obeyed
  floor=${own_epoch:-0}
  if [ "${recalled:-0}" -gt "$floor" ]; then floor=$recalled; fi
  witness_look "$floor"
  fact witness_epoch "$look_epoch"
  fact witness_answers "$look_answers"
  case $look_state in
  none) reason="no server gives a valid witness of epoch $floor or later" && return 1 ;;
  doubt) reason="two witness records of epoch $look_epoch differ" && return 1 ;;
  *) ;;
  esac
  if [ "$look_epoch" = "$own_epoch" ] && [ "epoch=$look_epoch from=$look_from to=$look_to kind=$look_kind" != "$own_record" ]; then
    reason="the witness of epoch $look_epoch differs from this site's own record of it"
    return 1
  fi
  if [ "$look_epoch" -gt "${recalled:-0}" ]; then store obeyed "$look_epoch"; fi
  reason="the witness of epoch $look_epoch names site $look_to"
  [ "$look_to" = "$site" ]
}

# A token says that this site was fenced in its epoch. A missing signal is then an accident (pg_rewind removes it).
fence_allows() {
  recall token
  if [ -z "$recalled" ]; then return 0; fi
  reason="the fence token here cannot be read"
  read_token "$recalled" || return 1
  reason="this site was fenced in epoch $token_epoch"
  [ "$token_epoch" -lt "$look_epoch" ]
}

# Both sites may be booting: the peer gets a few seconds. The running guard comes back by itself.
peer_allows() {
  deadline_in "${witness_bound:-10}"
  until peer_says; do
    if [ -n "$answer" ] || [ "${opening:-no}" = yes ] || ! in_time; then return 1; fi
    sleep 0.5
  done
}

# Words: nonce, role, epoch, to, the peer's guard, epoch of its last promotion, then how far its WAL goes (see prepare.sh).
peer_says() {
  said=$(ask_peer 2>/dev/null) || said=''
  nonce=${said%%
*} answer=''
  case $said in *"
$nonce "*) answer=${said#*
} ;; *) ;; esac
  reason='the peer does not answer'
  if [ -z "$answer" ]; then return 1; fi
  reason="the peer says '${answer#* }' and not 'standby $look_epoch $site'"
  case $answer in "$nonce standby $look_epoch $site" | "$nonce standby $look_epoch $site "*) ;; *) return 1 ;; esac
  read -r _ _ _ _ _ said_promoted said_tli said_lsn said_state said_hash <<ANSWER
$answer
ANSWER
}

holds_all() {
  reason="site $peer does not say how far its WAL goes: its standby.answer is of an older version; pulumi up replaces it"
  case $said_promoted$said_tli in '' | *[!0-9]*) return 1 ;; *) ;; esac
  case $said_lsn in *[!0-9A-F/]* | '' | -) return 1 ;; *) ;; esac
  recall promoted
  reign=${recalled%% *}
  reign=${reign:-0}
  reason="site $peer was promoted in epoch $said_promoted, this one in epoch $reign"
  if [ "$said_promoted" -gt 0 ] && [ "$said_promoted" -ge "$reign" ]; then return 1; fi
  reason=$END_UNKNOWN
  # Asked again after the stop: nothing has been written since.
  if [ -z "${own_end:-}" ] && ! find_own_end; then return 1; fi
  is_ours && same_bytes
}

# A state file for observe, and a line in the log whenever it changes.
note_hold() {
  if ! is_held; then return 0; fi
  recall held.why
  if [ "$recalled" = "$reason" ]; then return 0; fi
  keep held.why "$reason"
  say "stays closed: $reason"
}

# The running guard takes its own signal away again. Cheap looks first: those that this poll has made already.
reopen() {
  if [ ! -e "$state/held" ]; then return 0; fi
  now
  if [ "$now" -lt "${reopen_after:-0}" ]; then return 0; fi
  if [ -e "$data/standby.signal" ]; then
    if ! is_held; then return 0; fi
    # A server that was held at boot and does not run was stopped by somebody.
    recall held
    case $recalled in *' cut-off') ;; *) postmaster || return 0 ;; esac
  fi
  reason='no name server gives a valid witness that names this site'
  if [ "$look_state" != one ] || [ "$look_to" != "$site" ] || [ "$look_epoch" -lt "$own_epoch" ]; then note_hold && return 0; fi
  reason="site $peer does not say that it is the standby of epoch $look_epoch"
  if [ "$peer_role $peer_epoch $peer_to" != "standby $look_epoch $site" ]; then note_hold && return 0; fi
  # Danger: whoever started the unit, dpkg say, waits for it. A server that is ended under its start makes that fail.
  if unit_is_starting; then return 0; fi
  heartbeat
  # The server that is started must hold neither the bell nor the guard's lock.
  (open_site >/dev/null 7>&- 8>&-) || :
  now
  reopen_after=$((now + 500))
}

# Under the verbs' lock; where a verb holds it, the next poll comes back.
open_site() {
  opening=yes lock_wait=0
  exec 9>>"$state/lock"
  flock --nonblock 9 || return 0
  # Killed between the signal's end and the start, or the start failed.
  if [ -e "$state/held" ] && [ ! -e "$data/standby.signal" ] && ! postmaster; then hold_signal cut-off || return 0; fi
  if ! is_held; then return 0; fi
  recall_own
  own_end=''
  if ! may_open; then
    note_hold
    if ! postmaster && [ "$reason" = "$END_UNKNOWN" ]; then
      quarantine_settings
      launch_postgres
    fi
    return 0
  fi
  if postmaster; then
    heartbeat
    stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"
    checkpoint reopen-stopped
    # That took its time: the peer is asked once more.
    if ! is_held || ! may_open; then
      note_hold
      launch_postgres
      return 0
    fi
  fi
  # `held` stays until the server takes writes: see reopen and open_again.
  rm -f "$data/standby.signal" "$state/held.why"
  sync "$data"
  checkpoint reopen-signal-removed
  say "opens this site again: $reason"
  printf '%s opened: %s\n' "$(date --utc --iso-8601=seconds)" "$reason" >>"$state/log/guard" || :
  launch_postgres
  # A unit that is still ending would lose the request. Nothing more is waited for: the server must be watched.
  deadline_in 5
  while in_time && ! postmaster; do
    unit_goes_on || :
    sleep 0.1
  done
}
