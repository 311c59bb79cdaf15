#!/bin/sh
# entry: the guard's part in each start of PostgreSQL. Functions only, put behind watch.sh.
#   guard hold    early in each boot, without network: a primary comes up read-only; the running guard opens it again
#   guard admit   before each start of the unit that owns PostgreSQL
# Danger: without its signal a server starts writable. A start gets past admit only on support heard in this very boot.
# shellcheck disable=SC2154,SC2034 # lib.sh, owner.sh, query.sh and watch.sh set them

# A site that no epoch is recorded at is no part of a pair yet: nothing could have taken its place.
guard_hold() {
  if ! has_database || postmaster || [ -e "$data/standby.signal" ]; then return 0; fi
  recall record
  if [ -z "$recalled" ]; then return 0; fi
  hold_or_place "the host has booted"
}

# A standby whose signal is gone was never the primary: its signal is nobody's to take away.
hold_or_place() { # REASON
  read_control || fault "pg_controldata cannot read $data" "look at the disk of site $site"
  if left_by_primary; then
    hold_signal boot || fault "standby.signal cannot be placed in $data" "look at the disk of site $site"
    say "starts read-only: $1"
  else
    say "standby.signal was missing from a standby's data; placed"
    place_signal
  fi
  quarantine_settings
}

guard_admit() {
  if ! has_database; then return 0; fi
  asked='' extra=''
  take_request
  server_options
  if [ ! -e "$data/standby.signal" ] && [ "$asked" = '' ] && { ! may_start || holds_less; }; then hold_or_place "$reason"; fi
  # What the unit adds to the command line, read by it after this.
  printf 'STANDBY_OPTIONS="%s"\n' "$server_options $extra" >"/run/standby-$name.env"
}

# Sets `asked` and `extra` where a verb that still runs has asked for this start.
take_request() {
  read -r boot </proc/sys/kernel/random/boot_id
  recall start
  rm -f "$state/start"
  asker=${recalled#* }
  case $recalled in "$boot "*) ;; *) return 0 ;; esac
  if ! is_alive "${asker%% *}"; then return 0; fi
  asked=yes extra=${asker#"${asker%% *}"}
}

# A start within one boot: an upgrade, needrestart, a hand. The guard polls while PostgreSQL is down, so what it heard last
# is fresh; programs that an upgrade has just replaced get a few polls.
may_start() {
  watch_settings
  recall_own
  reason='the running guard has not confirmed this site since the host booted'
  if [ -e "$state/held" ]; then return 1; fi
  recall unfenced
  if [ -n "$recalled" ] && [ "$recalled" -ge "$own_epoch" ]; then return 0; fi
  reason='a fence token lies here'
  recall token
  if [ -n "$recalled" ] && { ! read_token "$recalled" || [ "$token_epoch" -ge "$own_epoch" ]; }; then return 1; fi
  now
  give_up=$((now + asking + asking + poll))
  while :; do
    if is_supported; then return 0; fi
    now
    if [ "$now" -ge "$give_up" ]; then return 1; fi
    if [ -p "$state/guard.bell" ]; then printf '.' 1<>"$state/guard.bell" || :; fi
    sleep 0.2
  done
}
# Danger: a volume that was put back under a stopped server is an older disk, with no boot in between. A peer that does not answer
# as this site's standby says nothing here: what keeps this site is fresh.
holds_less() {
  recall unfenced
  if [ -n "$recalled" ] && [ "$recalled" -ge "$own_epoch" ]; then return 1; fi
  look_epoch=$own_epoch own_end=''
  if ! peer_says; then return 1; fi
  case $said_promoted$said_tli in '' | *[!0-9]*) return 1 ;; *) ;; esac
  if holds_all; then return 1; fi
  # Not older, only not to be compared byte by byte.
  [ "$said_hash" != - ] || ! is_ours
}

# Danger: `against` is what the last poll saw: a veto outweighs whatever kept this site before.
is_supported() {
  reason='what the guard sees speaks against this site'
  recall heard
  case $recalled in "$boot against "*) return 1 ;; *) ;; esac
  heard=${recalled##* }
  case $recalled in "$boot for "*) ;; *) heard=0 ;; esac
  is_armed
  if [ "$armed" = no ]; then return 0; fi
  now
  reason="neither a lease nor a witness for $(((now - heard) / 100)) s"
  [ $((now - heard)) -le "$after" ]
}

# In the running guard, at each poll: what the next start may lean on, kept while PostgreSQL is down, too.
keep_heard() {
  if [ "$look_state" = doubt ] || { [ "$look_state" = one ] && witness_vetoes; } || peer_reigns; then
    keep heard "$boot against $began"
    return 0
  fi
  heard_at=0
  if [ "$isolation" != lease ] && [ "$look_state" = one ]; then heard_at=$look_sent; fi
  if leases && [ "$peer_sent" -gt "$heard_at" ]; then heard_at=$peer_sent; fi
  if [ "$heard_at" -gt 0 ]; then keep heard "$boot for $heard_at"; fi
}

# For a server that takes writes now and did not at the last poll: since when something keeps it. Danger: to count from now
# would add the time that it was down to the bound. A verb's own start counts from itself; one by any other hand has nothing.
find_support() {
  supported=0
  recall heard
  case $recalled in "$boot for "*) supported=${recalled##* } ;; *) ;; esac
  recall started
  case $recalled in "$boot "*) if [ "${recalled#* }" -gt "$supported" ]; then supported=${recalled#* }; fi ;; *) ;; esac
}
