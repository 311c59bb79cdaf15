#!/bin/sh
# repoint: what followed the site before follows this one now. Runs at the new primary; nothing waits for it, so a follower that
# cannot be helped is named and the others go on.
# Facts: slots_made, starts_anew (logical slots that are not here), followers (NAME:repointed, NAME:failed or NAME:by-hand).
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  read_input
  take_lock
  adopt
  deadline_in "$((step_bound * 3 / 4))"
  if ! postmaster || [ "$(echo 'select pg_is_in_recovery()' | sql)" != f ]; then later "this site is not the primary" "run the update again"; fi
  declare_followers
  recall followers
  made='' anew=''
  noted=$recalled
  each_slot "$noted" make_slot
  each_slot "$(declared_slots)" make_slot
  fact slots_made "${made#,}"
  fact starts_anew "${anew#,}"
  results='' follower='' command=''
  while IFS= read -r line; do
    case $line in
    follower=*)
      call_follower
      follower=${line#follower=} command='' slot=''
      follower=${follower%% *}
      ;;
    follower_slot=*) slot=${line#*=} ;;
    follower_repoint=*) command=${line#*=} ;;
    *) ;;
    esac
  done <<FOLLOWERS
$services
FOLLOWERS
  call_follower
  fact followers "${results#,}"
}

declared_slots() {
  sql <<SQL
select string_agg(concat_ws(':', name, slot, case kind when 'logical' then 'logical' else 'physical' end), ',')
  from ($declared) as declared(name, kind, app, usr, slot) where slot is not null;
SQL
}

# A physical slot begins where the returning site's does: nothing that the follower may still lack has been removed since the
# promotion. A logical one cannot be made up: it is here (17 and newer keep it in step) or its consumer begins anew.
make_slot() {
  case $type in
  physical)
    answer=$(
      sql <<SQL
select exists (select from pg_replication_slots where slot_name = '$slot') as here,
  exists (select from pg_replication_slots where slot_name = 'standby_$peer' and restart_lsn is not null) as like_the_peers \gset
\if :here
\elif :like_the_peers
select 'made' from pg_copy_physical_replication_slot('standby_$peer', '$slot');
\else
select 'made' from pg_create_physical_replication_slot('$slot', true);
\endif
SQL
    ) || say "slot $slot of follower $follower could not be made: make it by hand, select pg_create_physical_replication_slot('$slot', true)"
    if [ "$answer" = made ]; then made="$made,$slot"; fi
    ;;
  *)
    answer=$(
      sql <<SQL
select 'here' from pg_replication_slots where slot_name = '$slot' and slot_type = 'logical' and coalesce(wal_status, 'lost') <> 'lost';
SQL
    ) || answer=''
    if [ "$answer" != here ]; then
      anew="$anew,$slot"
      say "logical slot $slot of follower $follower is not here: its consumer starts anew, with a new slot and a new snapshot"
    fi
    ;;
  esac
}

# The user's command as a person would type it, without what lib.sh sets and without the lock.
call_follower() {
  if [ -z "$follower" ]; then return 0; fi
  if [ -z "$command" ]; then
    results="$results,$follower:by-hand"
    say "follower $follower was ended and has no repoint command: point it to $host:$port by hand"
    return 0
  fi
  # The one it was seen to use, where the program names none.
  case ",$noted" in
  *",$follower:"*)
    seen_slot=",$noted"
    seen_slot=${seen_slot#*",$follower:"}
    slot=${slot:-${seen_slot%%:*}}
    ;;
  *) ;;
  esac
  now
  left=$(((deadline - now) / 100))
  if [ "$left" -gt 30 ]; then left=30; fi
  code=124 said=''
  if [ "$left" -gt 0 ]; then
    code=0
    said=$(run_command 2>&1) || code=$?
  fi
  if [ "$code" = 0 ]; then
    results="$results,$follower:repointed"
  else
    results="$results,$follower:failed"
    say "follower $follower: its repoint command ended with status $code: $(printf '%s' "$said" | tail --lines=3 | tr '\n' ' ')"
  fi
}
run_command() (
  umask 022
  unset PGOPTIONS PGPASSFILE PGAPPNAME PGCONNECT_TIMEOUT LC_ALL TZ
  export STANDBY_SITE="$site" STANDBY_HOST="$host" STANDBY_PORT="$port" STANDBY_FOLLOWER="$follower" STANDBY_SLOT="$slot"
  exec timeout -k 1 "$left" sh -c "$command" </dev/null 9>&-
)
