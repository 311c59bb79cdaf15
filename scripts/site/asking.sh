#!/bin/sh
# asking: the questions of the running guard, which go on beside its polls, and the bell that ends its pause. Functions only,
# put behind watch.sh.
# shellcheck disable=SC2154,SC2034 # lib.sh, query.sh, guard.sh and watch.sh set them

# Until the next poll; the verb witness rings the bell, so that a new record is obeyed at once, and so does a late answer.
pause() {
  now
  left=$((began + poll - now)) came=no
  if [ "$left" -lt 5 ]; then left=5; fi
  while [ "$rung$came" = nono ] && [ "$left" -gt 0 ]; do
    listen "$left"
    now
    left=$((began + poll - now))
  done
  rung=no
}

# One byte of the bell: `!` is a question that has come back, all else is a ring.
listen() { # HUNDREDTHS
  byte=$(timeout "$(in_seconds "$1")" head --bytes=1 <&7 2>/dev/null 8>&-) || byte=''
  case $byte in
  '') ;;
  '!')
    came=yes
    if [ "$pending" -gt 0 ]; then pending=$((pending - 1)); fi
    ;;
  *) rung=yes ;;
  esac
}

# Asks beside the polls, one question of a kind at a time. Danger: the answer counts from now, not from when it comes.
send() { # peer|witness|slot
  if [ -e "$work/$1.job" ]; then return 0; fi
  now
  {
    "ask_$1" >"$work/$1.part" 2>/dev/null || :
    mv "$work/$1.part" "$work/$1.came"
    printf '!' >&7
  } 8>&- &
  printf '%s %s\n' "$!" "$now" >"$work/$1.job"
  pending=$((pending + 1))
}
take_answers() {
  for kind_asked in peer witness slot; do
    if ! [ -e "$work/$kind_asked.job" ]; then continue; fi
    read -r job sent <"$work/$kind_asked.job"
    now
    if [ -e "$work/$kind_asked.came" ]; then
      wait "$job" || :
      "take_$kind_asked" || :
      rm -f "$work/$kind_asked.job" "$work/$kind_asked.came"
    elif [ $((now - sent)) -gt $((4 * ask + 500)) ]; then
      # Killed, or stuck in the kernel: asked anew.
      rm -f "$work/$kind_asked.job"
      if [ "$pending" -gt 0 ]; then pending=$((pending - 1)); fi
    fi
  done
}

ask_witness() {
  look_at_witness
  printf '%s\n' "$look_state $look_epoch ${look_from:--} ${look_to:--} ${look_kind:--}" "$turn" "$trusted" "${w_verified:-}" "$talk"
}
take_witness() {
  {
    read -r look_state look_epoch look_from look_to look_kind
    read -r turn
    read -r trusted
    read -r w_verified
  } <"$work/witness.came"
  turn=${turn:-0}
  case $look_epoch in '' | *[!0-9]*) look_state=none look_epoch=0 ;; *) ;; esac
  talk=$(tail --lines=+5 "$work/witness.came")
  look_sent=$sent
  if [ "$talk" != "$reports" ] && [ -n "$talk" ]; then printf '%s\n' "$talk" >&2; fi
  reports=$talk
}

# One server in rotation. All of them when it does not confirm what was known; a veto needs no second opinion.
look_at_witness() {
  floor=$own_epoch
  if [ "$obeyed" -gt "$floor" ]; then floor=$obeyed; fi
  all_servers=$servers
  # shellcheck disable=SC2086 # one word a server
  set -- $servers
  look_state=none look_epoch=0 look_from='' look_to='' look_kind=''
  if [ "$#" -gt 0 ]; then
    turn=$((turn % $# + 1))
    shift $((turn - 1))
    servers=$1
    witness_look "$floor" 2>"$work/talk"
    if ! { [ "$look_state" = one ] && { [ "$look_epoch $look_from $look_to $look_kind" = "$trusted" ] || witness_vetoes; }; }; then
      servers=$all_servers
      witness_look "$floor" 2>"$work/talk"
    fi
    servers=$all_servers
    trusted=''
    if [ "$look_state" = one ]; then trusted="$look_epoch $look_from $look_to $look_kind"; fi
  fi
  talk=$(cat "$work/talk" 2>/dev/null) || talk=''
}

# A nonce, or an answer recorded earlier would do for a lease.
ask_peer() {
  read -r nonce </proc/sys/kernel/random/uuid
  printf '%s\n' "$nonce"
  printf "select standby.answer('%s');\n" "$nonce" | as_owner timeout --kill-after=1 "$ask_bound" "$bindir/psql" \
    --no-psqlrc --quiet --no-align --tuples-only --no-password \
    "host=$peer_host port=$peer_port user=$replication_user dbname=$database connect_timeout=2"
}
# What the standby has replayed is in no delta. In small steps, or the bound of a question would be none; a session that
# outlives it goes on by itself.
ask_slot() {
  locally timeout --kill-after=1 "$ask_bound" "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --no-password \
    --host="$socket" --port="$port" --username="$superuser" --dbname="$database" --command="
      select pg_replication_slot_advance(slot_name, least(replay_lsn, confirmed_flush_lsn + 16777216)) from pg_replication_slots, pg_stat_replication
        where slot_name = '$delta_slot' and not pg_replication_slots.active and application_name = 'standby_$peer' and confirmed_flush_lsn < replay_lsn"
}
take_slot() { :; }
take_peer() {
  nonce='' heard='' peer_role='' peer_epoch=0 peer_to='' peer_guard='' peer_sent=$sent
  { read -r nonce && read -r heard peer_role peer_epoch peer_to peer_guard _; } <"$work/peer.came" || :
  if [ -z "$nonce" ] || [ "$heard" != "$nonce" ]; then peer_role=''; fi
  case $peer_epoch in '' | *[!0-9]*) peer_epoch=0 peer_role='' ;; *) ;; esac
  recall peer_guard
  if [ "$writable" = yes ]; then
    if [ -n "$recalled" ]; then rm -f "$state/peer_guard"; fi
  elif [ "$peer_role" = primary ] && [ "$recalled" != "$peer_epoch ${peer_guard:--}" ]; then
    keep peer_guard "$peer_epoch ${peer_guard:--}"
  fi
}
