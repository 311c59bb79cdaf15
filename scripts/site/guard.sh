#!/bin/sh
# guard: the only starter of PostgreSQL at a site. It obeys the witness and only ever takes writability away.
# Installed as one file (lib.sh, query.sh, this, watch.sh, a call) by the verb install; reads guard.conf beside itself.
#   guard boot    what the host runs at power on, instead of starting PostgreSQL
#   guard run     watches for as long as the host runs: see watch.sh
#   guard halt    ends PostgreSQL; for a service manager that has lost the running guard
#   guard status  facts, changes nothing
#   guard hold|admit   before a start of PostgreSQL: see entry.sh
#   guard units|leave|move   as root: see units.sh
# Danger: a rebooted or cut-off site may see an old record that is validly signed. So standby.signal is placed
# before anything is asked, and only three things together take it away again: this site was the primary, a
# valid witness names it, and the peer, asked live, says it is the standby of that very epoch.
# shellcheck disable=SC2154 # lib.sh and query.sh set them

guard_main() {
  # It takes no lock to fence. Under a verb's name a verb that marks maintenance at that moment would take its file away.
  # shellcheck disable=SC2034 # keep and store of lib.sh
  new=guard
  read_input <"${0%/*}/guard.conf"
  case ${1:-} in
  boot) guard_boot ;;
  run) guard_run ;;
  halt) guard_halt ;;
  status) guard_status ;;
  hold) guard_hold ;;
  admit) guard_admit ;;
  units) guard_units ;;
  leave) guard_leave ;;
  wanted) name_unit && wanted_sum ;;
  move) guard_move ;;
  *) fault "usage: guard boot|run|halt|status|hold|admit|units|leave|move" "see the first lines of $0" ;;
  esac
}

guard_boot() {
  if [ ! -r "$data/PG_VERSION" ]; then
    say "no database in $data, nothing to start"
    fact role absent
    return 0
  fi
  if postmaster; then
    say "PostgreSQL runs already, left as it is"
    fact role running
    return 0
  fi
  # Who placed the signal before this boot had a reason; a guard never takes that one away.
  had_signal=no
  if [ -e "$data/standby.signal" ]; then had_signal=yes; fi
  place_signal
  checkpoint boot-signal-placed
  take_lock
  if postmaster; then later "somebody else started PostgreSQL at this moment" "see who starts it besides the guard, and switch that off"; fi
  if may_write; then
    remove_signal
    checkpoint boot-signal-removed
    start_postgres
    fact role primary
  else
    say "starts as a standby: $reason"
    if ! is_follower; then quarantine_settings; fi
    start_postgres
    fact role standby
  fi
  fact reason "$reason"
}

# Sets `reason`; true only if everything speaks for it.
may_write() {
  reason='standby.signal was there before this boot'
  [ "$had_signal" = no ] || return 1
  read_control || fault "pg_controldata cannot read $data" "look at the disk of site $site"
  reason="the control file says '$control_state', so this site was not the primary"
  case $control_state in 'in production' | 'shut down' | 'in crash recovery' | 'shutting down') ;; *) return 1 ;; esac
  witness_allows && fence_allows && peer_allows
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

# The peer must answer, to a number it cannot have heard before, that it is the standby of the witness's epoch.
# Both sites may be booting: it gets a few seconds.
peer_allows() {
  deadline_in "${witness_bound:-10}"
  until peer_says; do
    case $answer in '') ;; *) return 1 ;; esac
    in_time || return 1
    sleep 0.5
  done
  reason="the witness of epoch $look_epoch names this site and the peer is its standby"
}
peer_says() {
  nonce=$(od --address-radix=n --format=x8 --read-bytes=16 /dev/urandom | tr --delete ' \n')
  answer=$(printf "select standby.answer('%s');\n" "$nonce" | peer_sql 2>/dev/null) || answer=''
  reason='the peer does not answer'
  if [ -n "$answer" ]; then reason="the peer says '${answer#* }' and not 'standby $look_epoch $site'"; fi
  # What follows is the peer's guard's own account.
  case $answer in "$nonce standby $look_epoch $site" | "$nonce standby $look_epoch $site "*) return 0 ;; *) return 1 ;; esac
}

# A standby of this pair that merely rebooted goes on following; whoever was a primary follows nobody until the
# verb rejoin has judged it.
is_follower() {
  [ "$had_signal" = yes ] || return 1
  read_control || return 1
  case $control_state in 'shut down in recovery' | 'in archive recovery') ;; *) return 1 ;; esac
  recall record
  case $recalled in *" to=$peer kind="*) return 0 ;; *) return 1 ;; esac
}

# On disk, so that a start by another hand follows nobody either. The last line of a name is the one that counts.
quarantine_settings() {
  if is_blank primary_conninfo && is_blank restore_command; then return 0; fi
  printf "primary_conninfo = ''\nrestore_command = ''\n" | as_owner tee -a "$data/postgresql.auto.conf" >/dev/null
  sync "$data/postgresql.auto.conf"
  checkpoint boot-quarantined
}

is_blank() { [ "$(grep "^$1 *=" "$data/postgresql.auto.conf" | tail -n 1)" = "$1 = ''" ]; }
