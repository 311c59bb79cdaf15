#!/bin/sh
# seed: copy the peer's database to this empty site and let it follow.
# It works under DATA.seed and renames at the end, so that a half copy is never found under the serving name.

main() {
  read_input
  take_lock
  if [ -n "$epoch" ]; then adopt; fi
  recall rejoin
  if ! has_database; then
    case $recalled in
    'ready seed'*) ;;
    # Danger: put aside to be recovered, it may be the only copy of acknowledged writes.
    recover*) later "a recovery of $data was interrupted; what it holds is in $data.rejoin" "run the update again, which goes on with it" ;;
    *) make_copy ;;
    esac
    put_in_place
    # A rewind that was interrupted: what is left of it has been replaced.
    if [ -n "$recalled" ]; then as_owner rm -rf "$data.rejoin"; fi
    forget rejoin
  elif [ ! -e "$data/standby.signal" ]; then
    refuse "$data holds a database already" "move it away by hand if it may be replaced, then run the update again"
  fi
  checkpoint before-start
  start_postgres
  await_streaming
  fact streaming yes
}

# All that could make the copy useless is looked at before it: it may take hours, and it fills a disk.
make_copy() {
  if [ -e "$data" ]; then
    movable
    if [ -n "$(ls -A "$data")" ]; then refuse "$data is not empty and holds no database" "move its contents away, then run the update again"; fi
  fi
  fit_places
  fit_room
  copy
  configure
  checkpoint before-rename
  store rejoin "ready seed $(date +%s)"
  checkpoint seed-ready
}

put_in_place() {
  if [ -e "$data" ]; then rmdir "$data" || refuse "$data cannot be replaced" "look at what it holds, then run the update again"; fi
  take_places "$data.seed"
  rename_folder "$data.seed" "$data"
  # lib.sh compares it with the folder that a postmaster works in
  data_path=$(cd -P "$data" && pwd)
}

await_streaming() {
  streaming=$(
    sql <<SQL
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$step_bound s';
begin
  while clock_timestamp() < give_up and not exists (select from pg_stat_wal_receiver where status = 'streaming') loop
    perform pg_sleep(0.01);
  end loop;
end \$\$;
select exists (select from pg_stat_wal_receiver where status = 'streaming');
SQL
  ) || no_answer
  if [ "$streaming" != t ]; then later "copied, but does not stream from site $peer" "read $state/log/server.log, then run the update again"; fi
}
