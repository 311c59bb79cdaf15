#!/bin/sh
# seed: copy the peer's database to this empty site and let it follow.
# It works under DATA.seed and renames at the end, so that a half copy is never found under the serving name.

main() {
  read_input
  take_lock
  if [ -n "$epoch" ]; then adopt; fi
  if [ ! -e "$data/PG_VERSION" ]; then
    if [ -e "$data" ] && [ -n "$(ls -A "$data")" ]; then refuse "$data is not empty and holds no database" "move its contents away, then run the update again"; fi
    copy
    configure
    checkpoint before-rename
    put_in_place
    # A rewind that was interrupted: what is left of it has been replaced.
    if [ -e "$state/rejoin" ]; then
      as_owner rm -rf "$data.rejoin"
      forget rejoin
    fi
  elif [ ! -e "$data/standby.signal" ]; then
    refuse "$data holds a database already" "move it away by hand if it may be replaced, then run the update again"
  fi
  checkpoint before-start
  start_postgres
  await_streaming
  fact streaming yes
}

copy() {
  answer=$(
    peer_sql replication=database <<SQL
select pg_is_in_recovery() as recovering, exists (select from pg_replication_slots where slot_name = 'standby_$site' and wal_status = 'lost') as gone \gset
\if :recovering
\echo standby
\else
\if :gone
DROP_REPLICATION_SLOT standby_$site;
\endif
select not exists (select from pg_replication_slots where slot_name = 'standby_$site') as slotless \gset
\if :slotless
CREATE_REPLICATION_SLOT standby_$site PHYSICAL RESERVE_WAL;
\endif
select 'listen=' || current_setting('listen_addresses');
\endif
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port as $replication_user" "check pg_hba.conf, the firewall and ~/.pgpass, then run the update again"
  if [ "$answer" = standby ]; then later "site $peer is not a primary" "run the update again once it is"; fi
  listen=${answer##*listen=}
  # Only ever our own half copy of an earlier try.
  as_owner rm -rf "$data.seed"
  parent=${data%/*}
  if [ ! -d "$parent" ]; then
    mkdir -p "$parent"
    give_to_owner "$parent"
  fi
  say "copies the database of site $peer"
  as_owner "$bindir/pg_basebackup" --pgdata="$data.seed" --wal-method=stream --checkpoint=fast --slot="standby_$site" --progress --no-password \
    --dbname="host=$peer_host port=$peer_port user=$replication_user connect_timeout=5" >&2 || later "the copy from site $peer failed" "look at the lines above, then run the update again"
}

# What came with the copy speaks of the other site. Later lines of this file win.
configure() {
  {
    printf "\nprimary_conninfo = 'host=%s port=%s user=%s application_name=standby_%s passfile=%s connect_timeout=3 tcp_user_timeout=5000 keepalives_idle=5'\n" \
      "$peer_host" "$peer_port" "$replication_user" "$site" "$PGPASSFILE"
    printf "primary_slot_name = 'standby_%s'\nsynchronous_standby_names = ''\nstandby.state_directory = '%s'\n" "$site" "$state"
    if [ -z "$config" ]; then
      case $listen in
      *"$peer_host"*) listen=${listen%%"$peer_host"*}$host${listen#*"$peer_host"} ;;
      *) ;;
      esac
      printf "listen_addresses = '%s'\nport = %s\nunix_socket_directories = '%s'\n" "$listen" "$port" "$socket"
    fi
  } >>"$data.seed/postgresql.auto.conf"
  : >"$data.seed/standby.signal"
  give_to_owner "$data.seed/standby.signal"
  sync "$data.seed/postgresql.auto.conf" "$data.seed/standby.signal" "$data.seed"
}

put_in_place() {
  if [ -e "$data" ]; then rmdir "$data" || refuse "$data cannot be replaced (a mount point?)" "mount one level higher and name a folder below it as dataDirectory"; fi
  mv "$data.seed" "$data"
  sync "${data%/*}"
  # shellcheck disable=SC2034 # lib.sh compares it with the folder that a postmaster works in
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
  ) || later "PostgreSQL does not answer here" "look at its log, then run the update again"
  if [ "$streaming" != t ]; then later "copied, but does not stream from site $peer" "read $state/log/server.log, then run the update again"; fi
}
