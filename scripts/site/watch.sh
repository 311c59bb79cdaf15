#!/bin/sh
# watch: the running part of the guard (guard run). Functions only, put behind guard.sh; fencing.sh comes last.
# Every poll it asks one name server (all of them on change or doubt) and the other site, and ends a writable server
# - at once when a valid witness gives this site's place to the other, or the other site itself says it has it;
# - when nothing has kept it for `after`: a lease (the other site says "standby, same epoch") or, under isolation
#   "either", a witness that names this site. "keep": never for this reason.
# Danger: times count from before the question was sent and by /proc/uptime, so that an answer that was long on its
# way gives no longer leave. It never starts PostgreSQL and never ends one in recovery: no follower, no drain.
# shellcheck disable=SC2154,SC2034 # lib.sh, query.sh and guard.sh set them

# Two rounds of questions, each under its own timeout: the most that one poll can spend on asking.
ask_bound=1.5 asking=300

# guard=POLL AFTER BOUND ISOLATION, in milliseconds. What the other parts leave of the bound is the stop's.
watch_settings() {
  read -r poll after bound isolation <<SETTINGS
${guard:-2000 12000 30000 either}
SETTINGS
  poll=$((poll / 10)) after=$((after / 10)) bound=$((bound / 10))
  stop=$((bound - after - poll - asking))
  if [ "$stop" -lt 100 ]; then stop=100; fi
  read -r boot </proc/sys/kernel/random/boot_id
}

guard_run() {
  watch_settings
  mkdir -p "$state/log"
  exec 8>>"$state/guard.lock"
  flock --wait 5 8 || fault "another guard runs at this site" "let the service manager start one only"
  if [ ! -p "$state/guard.bell" ]; then rm -f "$state/guard.bell" && mkfifo "$state/guard.bell"; fi
  exec 7<>"$state/guard.bell"
  work=$(mktemp -d) || fault "no temporary folder" "look at the disk of site $site"
  : >"$work/began"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 0' INT TERM
  find_supervisor
  turn=0 trusted='' reports='' supported=0 was_writable=no armed=no
  give_to_owner "$state/log" "$state/guard.lock" "$state/guard.bell"
  recall lease
  case $recalled in "$boot "*) supported=${recalled#* } was_writable=yes ;; *) ;; esac
  while :; do
    now
    began=$now
    # Nothing that fails in one poll may end the guard.
    watch_once || say "a poll failed"
    heartbeat || say "cannot write to $state"
    # The verb release took the program away: nothing of the pair acts here any more.
    if [ ! -e "$state/guard" ]; then exit 0; fi
    if is_replaced; then
      rm -rf "$work"
      exec "$0" run
    fi
    pause
  done
}

# A newer program or configuration takes over in this very process, so that a service manager sees no end.
# shellcheck disable=SC3013 # -nt is known to dash, bash, ksh and busybox
is_replaced() { [ "$state/guard.conf" -nt "$work/began" ] || [ "$state/guard" -nt "$work/began" ] || major_changed; }

# Until the next poll; the verb witness rings the bell, so that a new record is obeyed at once.
pause() {
  now
  left=$((began + poll - now))
  if [ "$left" -lt 5 ]; then left=5; fi
  timeout "$((left / 100)).$(printf '%02d' $((left % 100)))" head --bytes=1 <&7 >/dev/null 8>&- || :
}

watch_once() {
  recall_own
  writable=no
  if is_writable; then writable=yes; fi
  writable_pid=$pid
  ask_peer >"$work/peer" 2>/dev/null &
  if [ "$writable" = yes ] && [ -n "$delta_slot" ]; then advance_slot >/dev/null 2>&1 & fi
  look_at_witness
  wait || :
  read_peer
  keep_heard
  judge
  if [ "$verdict" = fence ]; then
    fence_site
  elif [ "$writable" = yes ]; then
    keep lease "$boot $supported"
    open_again
  fi
  # Only what was acted on is reported.
  if [ "$look_state" = one ] && [ "$look_epoch" -gt "$obeyed" ]; then
    store obeyed "$look_epoch"
  fi
}

# This site's own record and what it has obeyed; both are numbers from here on.
recall_own() {
  own_epoch=0 own_from='' own_to='' own_kind=''
  recall record
  for part in $recalled; do
    case $part in
    epoch=*) own_epoch=${part#*=} ;;
    from=*) own_from=${part#*=} ;;
    to=*) own_to=${part#*=} ;;
    kind=*) own_kind=${part#*=} ;;
    *) ;;
    esac
  done
  recall obeyed
  obeyed=${recalled:-0}
  recall promoted
  reign=${recalled%% *}
  reign=${reign:-0}
  recall leased
  leased=${recalled:-0}
}

# Writable, or about to be: a server that starts without its signal recovers from a crash and then takes writes. That
# a ready server is in recovery is told by its control file alone, which costs less than a session.
is_writable() {
  postmaster || return 1
  case $pid_status in
  starting*) [ ! -e "$data/standby.signal" ] ;;
  ready*)
    read_control || control_state='in production'
    [ "$control_state" = 'in production' ]
    ;;
  *) return 1 ;;
  esac
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
  if [ "$talk" != "$reports" ] && [ -n "$talk" ]; then printf '%s\n' "$talk" >&2; fi
  reports=$talk
}

# A switchover lets the site that is left serve until its fence verb, which leaves a token; a settled one is over.
witness_vetoes() {
  if [ "$look_to" = "$site" ]; then return 1; fi
  if [ "$look_kind" != switchover ]; then return 0; fi
  recall settled
  if [ "${recalled:-0}" -ge "$look_epoch" ]; then return 0; fi
  recall token
  read_token "$recalled" && [ "$token_epoch" = "$look_epoch" ]
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
advance_slot() {
  locally timeout --kill-after=1 "$ask_bound" "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --no-password \
    --host="$socket" --port="$port" --username="$superuser" --dbname="$database" --command="
      select pg_replication_slot_advance(slot_name, least(replay_lsn, confirmed_flush_lsn + 16777216)) from pg_replication_slots, pg_stat_replication
        where slot_name = '$delta_slot' and not pg_replication_slots.active and application_name = 'standby_$peer' and confirmed_flush_lsn < replay_lsn"
}
read_peer() {
  nonce='' heard='' peer_role='' peer_epoch=0 peer_to='' peer_guard=''
  { read -r nonce && read -r heard peer_role peer_epoch peer_to peer_guard; } <"$work/peer" || :
  if [ -z "$nonce" ] || [ "$heard" != "$nonce" ]; then peer_role=''; fi
  case $peer_epoch in '' | *[!0-9]*) peer_epoch=0 peer_role='' ;; *) ;; esac
  recall peer_guard
  if [ "$writable" = yes ]; then
    if [ -n "$recalled" ]; then rm -f "$state/peer_guard"; fi
  elif [ "$peer_role" = primary ] && [ "$recalled" != "$peer_epoch ${peer_guard:--}" ]; then
    keep peer_guard "$peer_epoch ${peer_guard:--}"
  fi
}

# The peer will not be promoted under what it has written down: it names this site, or its switchover waits for our fence.
leases() {
  [ "$peer_role" = standby ] || return 1
  if [ "$peer_to" = "$site" ] && [ "$peer_epoch" -ge "$own_epoch" ]; then return 0; fi
  [ "$own_kind" = switchover ] && [ "$own_from" = "$site" ] && [ "$peer_epoch $peer_to" = "$own_epoch $own_to" ]
}

peer_reigns() { [ "$peer_role $peer_to" = "primary $peer" ] && [ "$peer_epoch" -ge "$own_epoch" ]; }

# Sets verdict and reason. Only a writable server is ever ended.
judge() {
  verdict=keep reason='not writable'
  if [ "$writable" = yes ] && [ "$was_writable" = no ]; then find_support; fi
  was_writable=$writable
  if [ "$writable" = no ]; then return 0; fi
  recall unfenced
  reason='unfenced by hand'
  if [ -n "$recalled" ] && [ "$recalled" -ge "$own_epoch" ] && [ "$recalled" -ge "$look_epoch" ] && [ "$recalled" -ge "$peer_epoch" ]; then return 0; fi
  verdict=fence
  reason="two witness records of epoch $look_epoch differ"
  if [ "$look_state" = doubt ]; then return 0; fi
  reason="the witness of epoch $look_epoch ($look_kind) names site $look_to"
  if [ "$look_state" = one ] && witness_vetoes; then return 0; fi
  reason="site $peer says that it is the primary of epoch $peer_epoch"
  if peer_reigns; then return 0; fi
  verdict=keep reason='kept'
  judge_support
}

judge_support() {
  if leases; then
    supported=$began
    if [ "$own_epoch" -gt "$leased" ]; then store leased "$own_epoch"; fi
    leased=$own_epoch
  elif [ "$isolation" != lease ] && [ "$look_state" = one ]; then
    supported=$began
  fi
  is_armed
  now
  if [ "$armed" = yes ] && [ $((now - supported)) -gt "$after" ]; then
    verdict=fence reason="no lease and no witness for $(((now - supported) / 100)) s"
    if [ "$isolation" = lease ]; then reason="no lease for $(((now - supported) / 100)) s"; fi
  fi
}

# Danger: a site counts as cut off only once something has kept it since it became the primary. A site that was
# promoted while DNS could not be written, and whose peer is lost, has never had anything that it could miss.
is_armed() {
  armed=no
  if [ "$reign" -gt 0 ] && [ "$leased" -ge "$reign" ]; then armed=yes; fi
  case $isolation in
  keep) armed=no ;;
  either)
    if [ "$reign" -gt 0 ] && [ "$obeyed" -ge "$reign" ]; then armed=yes; fi
    ;;
  *) ;;
  esac
  [ "$armed" = yes ]
}

# Supervised = a service manager ends PostgreSQL when this process ends or hangs, before a lease is over. Its watchdog is
# told anew at each start, as the settings may have changed since the unit began.
find_supervisor() {
  supervised=no watched=no
  if [ -z "${NOTIFY_SOCKET:-}" ] || ! command -v systemd-notify >/dev/null 2>&1; then return 0; fi
  watchdog_ms
  systemd-notify --ready "WATCHDOG_USEC=$((watchdog_ms * 1000))" || return 0
  if [ "$watchdog_ms" -le $((after * 10)) ]; then watched=yes; fi
}
# Asked anew each time: the unit of PostgreSQL starts after this process, and may be changed by hand.
heartbeat() {
  if [ -n "${NOTIFY_SOCKET:-}" ]; then systemd-notify WATCHDOG=1 || :; fi
  supervised=no
  if [ "$watched" = yes ] && is_bound && systemctl is-active --quiet "$unit"; then supervised=yes; fi
  keep guard.live "$$ $boot $began $supervised $isolation $armed $((bound * 10))"
}
