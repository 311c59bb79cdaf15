#!/bin/sh
# watch: the running part of the guard (guard run). Functions only, put behind guard.sh; fencing.sh comes last.
# Every poll it asks one name server (all of them on change or doubt) and the other site, beside the poll, and ends a writable
# server - at once when a valid witness gives this site's place to the other, or the other site itself says it has it;
# - when nothing has kept it for `after`: a lease (the other site says "standby, same epoch") or, under isolation
#   "either", a witness that names this site. "keep": never for this reason.
# Danger: times count from before the question was sent and by /proc/uptime, so that an answer that was long on its
# way gives no longer leave. It never ends a server in recovery, no follower and no drain, but one that it holds itself (admit.sh).
# shellcheck disable=SC2154,SC2034 # lib.sh, query.sh and guard.sh set them

# Hundredths of a second. What one poll waits for answers, and what the bound allows a poll besides its pause: the wait and the
# programs of this host.
window=150 asking=300

# guard=POLL AFTER BOUND ISOLATION, in milliseconds. What the other parts leave of the bound is the stop's.
watch_settings() {
  read -r poll after bound isolation <<SETTINGS
${guard:-2000 12000 30000 either}
SETTINGS
  poll=$((poll / 10)) after=$((after / 10)) bound=$((bound / 10))
  stop=$((bound - after - poll - asking))
  if [ "$stop" -lt 100 ]; then stop=100; fi
  # A host may be slow and healthy: a question has a quarter of `after`, and goes on while the polls go on.
  ask=$((after / 4))
  if [ "$ask" -lt 150 ]; then ask=150; fi
  ask_bound=$(in_seconds "$ask")
  read -r boot </proc/sys/kernel/random/boot_id
}
in_seconds() { printf '%d.%02d' $(($1 / 100)) $(($1 % 100)); }

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
  turn=0 trusted='' reports='' supported=0 was_writable=no armed=no pending=0 rung=no
  look_state=none look_epoch=0 look_from='' look_to='' look_kind='' look_sent=0
  nonce='' peer_role='' peer_epoch=0 peer_to='' peer_guard='' peer_sent=0
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

watch_once() {
  recall_own
  writable=no
  if is_writable; then writable=yes; fi
  writable_pid=$pid
  take_answers
  send peer
  send witness
  if [ "$writable" = yes ] && [ -n "$delta_slot" ]; then send slot; fi
  left=$window
  while [ "$pending" -gt 0 ] && [ "$left" -gt 0 ]; do
    listen "$left"
    take_answers
    now
    left=$((began + window - now))
  done
  # Asked before this site learned of a newer record.
  if [ "$look_epoch" -lt "$own_epoch" ] || [ "$look_epoch" -lt "$obeyed" ]; then look_state=none; fi
  keep_heard
  judge
  # The answers took their time. What is done for a server that a verb has ended since would outlive the hand-over, or hit
  # the one that an undo has started.
  if [ "$verdict" != keep ] && is_over "$writable_pid"; then verdict=keep writable=no; fi
  case $verdict in
  keep)
    if [ "$writable" = yes ]; then
      keep lease "$boot $supported"
      open_again
    else
      reopen
    fi
    ;;
  *) fence_site ;;
  esac
  # Only what was acted on is reported.
  if [ "$look_state" = one ] && [ "$look_epoch" -gt "$obeyed" ]; then
    store obeyed "$look_epoch"
  fi
}

# Nothing of this server is left; a newer one is judged by the next poll. Sessions that a killed postmaster left are not over.
is_over() { ! is_alive "$1" && { postmaster || [ -z "$(data_processes)" ]; }; }

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

# A switchover lets the site that is left serve until its fence verb, which leaves a token; a settled one is over.
witness_vetoes() {
  if [ "$look_to" = "$site" ]; then return 1; fi
  if [ "$look_kind" != switchover ]; then return 0; fi
  recall settled
  if [ "${recalled:-0}" -ge "$look_epoch" ]; then return 0; fi
  recall token
  read_token "$recalled" && [ "$token_epoch" = "$look_epoch" ]
}

# The peer will not be promoted under what it has written down: it names this site, or its switchover waits for our fence.
leases() {
  [ "$peer_role" = standby ] || return 1
  if [ "$peer_to" = "$site" ] && [ "$peer_epoch" -ge "$own_epoch" ]; then return 0; fi
  [ "$own_kind" = switchover ] && [ "$own_from" = "$site" ] && [ "$peer_epoch $peer_to" = "$own_epoch $own_to" ]
}

peer_reigns() { [ "$peer_role $peer_to" = "primary $peer" ] && [ "$peer_epoch" -ge "$own_epoch" ]; }

# Sets verdict (keep, fence for a veto, or cut-off) and reason. Only a writable server is ever ended.
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
  if [ "$isolation" != lease ] && [ "$look_state" = one ] && [ "$look_sent" -gt "$supported" ]; then supported=$look_sent; fi
  if leases; then
    if [ "$peer_sent" -gt "$supported" ]; then supported=$peer_sent; fi
    if [ "$own_epoch" -gt "$leased" ]; then store leased "$own_epoch"; fi
    leased=$own_epoch
  fi
  is_armed
  now
  if [ "$armed" = yes ] && [ $((now - supported)) -gt "$after" ]; then
    verdict=cut-off reason="no lease and no witness for $(((now - supported) / 100)) s"
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
