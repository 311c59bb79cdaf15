#!/bin/sh
# copy: a base backup of the peer in DATA.seed, made ready to follow it. Stands in front of seed and of rejoin.
# shellcheck disable=SC2154 # lib.sh sets them

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
  # Only ever our own half copy of an earlier try. Where root enters, the owner needs no right to write in the folder above.
  rm -rf "$data.seed" && make_folder "$data.seed"
  map_places
  say "copies the database of site $peer"
  # shellcheck disable=SC2086 # one word an option: map_places leaves no white space in them
  as_owner "$bindir/pg_basebackup" --pgdata="$data.seed" --wal-method=stream --checkpoint=fast --slot="standby_$site" --progress --no-password $mapping \
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
