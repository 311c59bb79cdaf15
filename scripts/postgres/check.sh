#!/bin/sh
# check: states what must hold at the goal, and acts on nothing. value = the step whose goal it is.

main() {
  read_input
  state_now=down
  if postmaster; then
    state_now=$(
      sql <<SQL
select case when not pg_is_in_recovery() then 'primary'
  when exists (select from pg_stat_wal_receiver where status = 'streaming') then 'streaming' else 'standby' end;
SQL
    ) || no_answer
  fi
  case $value in
  fence) if [ "$state_now" = primary ]; then later "this site accepts writes" "run the update again"; fi ;;
  promote) if [ "$state_now" != primary ]; then later "this site is not the primary ($state_now)" "run the update again"; fi ;;
  rejoin) if [ "$state_now" != streaming ]; then later "this site does not follow its peer ($state_now)" "run the update again"; fi ;;
  *) ;;
  esac
  case $state_now in
  primary) fact role primary ;;
  down) fact role down ;;
  *) fact role standby ;;
  esac
}
