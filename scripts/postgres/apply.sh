#!/bin/sh
# apply: run a delta at the new primary. value=dry|yes, action=skip|old|new: who wins where both sites wrote one row.
# The file is STATE/incoming.sql, token its SHA-256: what was looked at is what runs.

main() {
  read_input
  take_lock
  case $value in dry) commit=0 ;; yes) commit=1 ;; *) fault "value '$value' is neither dry nor yes" "call the verb with value=dry" ;; esac
  case $action in skip | old | new) ;; *) fault "action '$action' is none of skip, old, new" "call the verb with action=skip" ;; esac
  found=$(sha256sum "$state/incoming.sql") || later "there is no delta in $state/incoming.sql" "bring it here first: standby delta apply does"
  if [ "${found%% *}" != "$token" ]; then refuse "$state/incoming.sql has hash ${found%% *}, expected $token" "bring the delta here again"; fi
  give_to_owner "$state/incoming.sql"
  if [ "$(echo 'select pg_is_in_recovery()' | sql)" != f ]; then refuse "this site is not the primary" "apply the delta where activeSite points to"; fi
  counts=$(locally "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --host="$socket" --port="$port" --username="$superuser" \
    --dbname="$database" --no-password --set=commit="$commit" --set=on_conflict="$action" --file="$state/incoming.sql" 9>&-) ||
    later "nothing was applied: PostgreSQL refused, see above" "mend what it names, then apply again; a lock that waited 5 s may be a transaction prepared before the failover"
  asked=0 same=0 deleted=0 updated=0 moved=0 inserted=0 overruled=0 before=f
  while IFS='=' read -r key number; do
    case $key in
    asked) asked=$((asked + number)) ;; same) same=$((same + number)) ;; deleted) deleted=$((deleted + number)) ;;
    updated) updated=$((updated + number)) ;; moved) moved=$((moved + number)) ;; inserted) inserted=$((inserted + number)) ;;
    overruled) overruled=$((overruled + number)) ;; before) before=$number ;; *) ;;
    esac
  done <<COUNTS
$counts
COUNTS
  if [ "$value" = yes ]; then
    store applied "$token"
    rm -f "$state/incoming.sql"
  fi
  fact applied "$value"
  fact before "$before"
  fact rows "$asked"
  fact same "$same"
  fact inserted "$inserted"
  fact updated "$updated"
  fact key_changed "$moved"
  fact deleted "$deleted"
  fact overruled "$overruled"
  fact skipped $((asked - same - inserted - updated - moved - deleted - overruled))
}
