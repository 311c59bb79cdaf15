#!/bin/sh
# hold: standby.signal, and whose it is. Functions only; part of lib at every site (sites/guardProgram.ts).
# The state file `held`, "BOOTID REASON", says: the guard placed this signal at a site that was the primary, and may take it
# away again. It counts only while it bears the time of that very signal: one that anybody else placed, or touched, is not
# the guard's own. REASON is `boot` or `cut-off`: at a site that was cut off the guard has ended the server as well.
# shellcheck disable=SC2154 # lib.sh sets them

# For a reason that outlives this moment: fence, revoke, rejoin, a veto. It is nobody's to take away but a verb's.
place_signal() {
  if [ ! -e "$data/standby.signal" ]; then : >"$data/standby.signal"; fi
  sync_signal
  # Last: the guard may be holding at this moment.
  if [ -e "$state/held" ]; then forget held; fi
}

# By the guard alone, and only where nobody else has placed one. Danger: it takes no lock. Whoever creates the signal owns it.
hold_signal() { # boot|cut-off
  if [ -e "$data/standby.signal" ]; then return 0; fi
  read -r hold_boot </proc/sys/kernel/random/boot_id
  store held "$hold_boot $1"
  checkpoint held-stored
  if (set -C && : >"$data/standby.signal") 2>/dev/null; then
    sync_signal
    touch --no-create --reference="$data/standby.signal" "$state/held"
    sync "$state/held" 2>/dev/null || :
  else
    forget held
  fi
  [ -e "$data/standby.signal" ]
}

# Whole seconds: the two may lie on file systems of different precision.
is_held() {
  [ -e "$state/held" ] && [ -e "$data/standby.signal" ] &&
    [ "$(stat --format=%Y "$state/held")" = "$(stat --format=%Y "$data/standby.signal")" ]
}

sync_signal() {
  give_to_owner "$data/standby.signal"
  sync "$data/standby.signal"
  sync "$data"
}

remove_signal() {
  # First: a hold without its signal is one that the guard takes up again.
  if [ -e "$state/held" ]; then forget held; fi
  rm -f "$data/standby.signal" && sync "$data"
}
