#!/bin/sh
# revoke: this site has no leave to promote any more. The first act of every undo, and resume's fence.
# Danger: a promotion that was asked for cannot be withdrawn. Where one is recorded, the only way is forward.

main() {
  read_input
  take_lock
  recall promoted
  promoted_epoch=${recalled%% *} promoted_tli=${recalled##* }
  # Before the new epoch is written down: a refusal must not hide what it refuses.
  recall settled
  # What was settled is history, also where no later timeline has been heard of here.
  if [ -n "$promoted_epoch" ] && { [ "$promoted_epoch" = "$epoch" ] || [ "${recalled:-0}" -lt "$promoted_epoch" ]; }; then
    read_control || fault "cannot read the control file of $data" "look at the disk"
    if [ "$promoted_epoch" = "$epoch" ] || [ "$(newest_timeline)" -le "$promoted_tli" ]; then
      refuse "this site recorded its promotion to timeline $promoted_tli in epoch $promoted_epoch" "run the update again with activeSite $site; going back is a switchover after that"
    fi
  fi
  adopt
  if [ -e "$state/permit" ]; then rm -f "$state/permit"; fi
  sync "$state"
  checkpoint permit-gone
  if has_database; then stay_standby; fi
  fact revoked yes
}

# The newest timeline this site knows. A later one than its own promotion's shows that an unsettled promotion is history.
newest_timeline() {
  newest=$own_tli
  for history in "$data"/pg_wal/*.history; do
    history=${history##*/}
    history=${history%.history}
    case $history in *[!0-9A-F]*) ;; *) if [ $((0x$history)) -gt "$newest" ]; then newest=$((0x$history)); fi ;; esac
  done
  printf '%s' "$newest"
}

stay_standby() {
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if read_token "$token" && [ "$own_tli" -gt "$token_tli" ]; then refuse "this site is on timeline $own_tli, beyond the token's $token_tli" "run the update again with activeSite $site"; fi
  if postmaster; then
    ask_recovery
    if [ "$recovering" = f ]; then refuse "this site is a writable primary" "run the update again with activeSite $site"; fi
  fi
  place_signal
  # Somebody asked for a promotion that has not begun: only a restart takes it out of the server's mind.
  if [ -e "$data/promote" ]; then
    stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log, then run the update again"
    rm -f "$data/promote"
    start_postgres
  fi
}

# A server that restarts after a crash of one of its processes answers again in a moment; an undo is worth the wait.
ask_recovery() {
  recovering=''
  deadline_in 5
  while in_time; do
    if recovering=$(
      sql 2>/dev/null <<SQL
select pg_is_in_recovery();
SQL
    ); then return 0; fi
    sleep 0.1
  done
  no_answer
}
