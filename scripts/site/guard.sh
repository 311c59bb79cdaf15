#!/bin/sh
# guard: obeys the witness. It takes writability away, and gives back only what it has taken itself.
# Installed as one file (lib.sh, query.sh, this, watch.sh, a call) by the verb install; reads guard.conf beside itself.
#   guard boot    what the host runs at power on, instead of starting PostgreSQL
#   guard run     watches for as long as the host runs: see watch.sh
#   guard halt    ends PostgreSQL; for a service manager that has lost the running guard
#   guard status  facts, changes nothing
#   guard hold|admit   before a start of PostgreSQL: see entry.sh
#   guard units|leave|move   as root: see units.sh
# Danger: a rebooted or cut-off site may see an old record that is validly signed. So standby.signal is placed before anything is
# asked, and taken away again only where it is the guard's own and everything speaks for it: see admit.sh. What cannot be known
# at boot is asked again by the running guard, for as long as it takes.
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
  wanted) wanted_sum ;;
  move) guard_move ;;
  *) fault "usage: guard boot|run|halt|status|hold|admit|units|leave|move" "see the first lines of $0" ;;
  esac
}

guard_boot() {
  watch_settings
  if ! has_database; then
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
  if [ -e "$data/standby.signal" ]; then had_signal=yes; elif was_primary; then hold_signal boot; else place_signal; fi
  checkpoint boot-signal-placed
  take_lock
  if postmaster; then later "somebody else started PostgreSQL at this moment" "see who starts it besides the guard, and switch that off"; fi
  role=standby reason="the control file says '$control_state', so this site was not the primary"
  if [ "$had_signal" = yes ]; then reason='standby.signal was there before this boot'; fi
  if is_held && may_open; then
    role=primary
    remove_signal
    checkpoint boot-signal-removed
  else
    say "starts as a standby: $reason"
    note_hold
    if ! is_follower; then quarantine_settings; fi
  fi
  launch_postgres
  # Danger: a recovery may take hours; whoever judges this site meanwhile needs the lock.
  exec 9>&-
  await_postgres "$A_YEAR"
  fact role "$role"
  fact reason "$reason"
}
A_YEAR=31536000

# A site whose control file cannot be read is held by nobody: a person looks.
was_primary() {
  if ! read_control; then
    place_signal
    fault "pg_controldata cannot read $data" "look at the disk of site $site"
  fi
  left_by_primary
}
# What the control file says where a primary's server has ended, however it ended. Danger: one that the guard was opening
# (admit.sh) may have ended in recovery, its signal just removed. Its hold tells; a signal that is nobody's would close it for good.
left_by_primary() {
  if [ -e "$state/held" ] && [ ! -e "$data/standby.signal" ]; then return 0; fi
  case $control_state in 'in production' | 'shut down' | 'in crash recovery' | 'shutting down') ;; *) return 1 ;; esac
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
