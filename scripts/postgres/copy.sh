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
select 'major ' || current_setting('server_version_num')::int / 10000 union all
select 'set ' || name || ' ' || setting from pg_settings where name in ('listen_addresses', 'wal_level', 'wal_log_hints', 'hot_standby', 'max_wal_senders',
  'max_replication_slots', 'max_connections', 'max_worker_processes', 'max_prepared_transactions', 'max_locks_per_transaction');
\endif
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port as $replication_user" "check pg_hba.conf, the firewall and ~/.pgpass, then run the update again"
  if [ "$answer" = standby ]; then later "site $peer is not a primary" "run the update again once it is"; fi
  peer_settings=$answer
  fit_programs
  # Only ever our own half copy of an earlier try. Where root enters, the owner needs no right to write in the folder above.
  rm -rf "$data.seed" && make_folder "$data.seed"
  map_places
  say "copies the database of site $peer"
  # shellcheck disable=SC2086 # one word an option: map_places leaves no white space in them
  as_owner "$bindir/pg_basebackup" --pgdata="$data.seed" --wal-method=stream --checkpoint=fast --slot="standby_$site" --progress --no-password $mapping \
    --dbname="host=$peer_host port=$peer_port user=$replication_user connect_timeout=5" >&2 || later "the copy from site $peer failed" "look at the lines above, then run the update again"
}

# Programs of another major than the peer's can copy its data and not start it.
fit_programs() {
  wanted=$(printf '%s\n' "$peer_settings" | sed -n 's/^major //p')
  if [ -z "$named_bindir" ]; then
    chosen=$bindir bindir=''
    programs_of "$wanted"
    bindir=${bindir:-$chosen}
  fi
  found=$(programs_major)
  if [ "$found" != "$wanted" ]; then refuse "site $peer runs PostgreSQL $wanted, the programs here are of ${found:-no known version} ($bindir)" "install PostgreSQL $wanted here (apt-get install postgresql-$wanted) or correct binDirectory, then run the update again"; fi
  find_major "$wanted"
}

# How this site follows its peer; EXTRAS is what a person had added, with a space in front, or nothing.
conninfo() { # EXTRAS
  printf 'host=%s port=%s user=%s application_name=standby_%s passfile=%s connect_timeout=3 tcp_user_timeout=5000 keepalives_idle=5%s' \
    "$peer_host" "$peer_port" "$replication_user" "$site" "$PGPASSFILE" "$1"
}

# What came with the copy speaks of the other site. Later lines of this file win.
configure() {
  {
    printf "\nprimary_conninfo = '%s'\n" "$(conninfo '')"
    printf "primary_slot_name = 'standby_%s'\nstandby.state_directory = '%s'\n" "$site" "$state"
  } >>"$data.seed/postgresql.auto.conf"
  if [ -z "$config" ] && [ ! -e "$data.seed/postgresql.conf" ]; then
    refuse "site $peer keeps its configuration outside of PGDATA, and here is none for $data${config_choices:+ that is the only one ($config_choices)}" "set configFile of this site; without any: pg_createcluster --datadir=$data VERSION NAME makes one, then move the new $data away"
  fi
  settle_settings
  : >"$data.seed/standby.signal"
  give_to_owner "$data.seed/standby.signal"
  sync "$data.seed/postgresql.auto.conf" "$data.seed/standby.signal" "$data.seed"
}

# What this site's own configuration and the copied lines together do not give: where it listens, and what a standby must
# not have less of than its primary. What fits already is left to the configuration.
settle_settings() {
  added=''
  listens "$(effective listen_addresses)" && own=yes || own=no
  while read -r set_word set_name set_value; do
    if [ "$set_word" != set ]; then continue; fi
    here=$(effective "$set_name")
    case $set_name in
    listen_addresses)
      if [ "$own" = yes ]; then continue; fi
      case $set_value in
      *"$peer_host"*) set_value=${set_value%%"$peer_host"*}$host${set_value#*"$peer_host"} ;;
      *) listens "$set_value" || set_value='*' ;;
      esac
      ;;
    wal_level | wal_log_hints | hot_standby) case $here-$set_value in "$set_value-$here" | logical-* | *-off) continue ;; *) ;; esac ;;
    *) case $here in '' | *[!0-9]*) ;; *) if [ "$here" -ge "$set_value" ]; then continue; fi ;; esac ;;
    esac
    add_setting "$set_name" "$set_value"
  done <<SETTINGS
$peer_settings
SETTINGS
  if [ "$(effective port)" != "$port" ]; then add_setting port "$port"; fi
  case ,$(effective unix_socket_directories | tr -d ' '), in *,"$socket",*) ;; *) add_setting unix_socket_directories "$socket" ;; esac
  printf '%s' "$added" >>"$data.seed/postgresql.auto.conf"
}
add_setting() { # NAME VALUE
  added="$added$1 = '$2'
"
}
# What a start of the copy would take. Nothing where it cannot be told.
effective() { # NAME
  as_owner "$bindir/postgres" -C "$1" -D "$data.seed" ${config:+-c config_file="$config"} -c data_directory="$data.seed" 2>/dev/null || :
}
