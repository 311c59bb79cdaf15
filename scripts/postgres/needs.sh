#!/bin/sh
# needs: what a server of a pair must be set to and takes up only at a restart, in one place. Functions only, in front of
# observe, which tells it before anything is written, of prepare, which refuses without it, and of seed, which sets it.
# shellcheck disable=SC2154 # lib.sh sets them

# Rows of (name, wanted, met). The last column is for the server that is asked.
needs_sql() {
  cat <<SQL
(values ('wal_level', case '$delta_slot' when '' then 'replica' else 'logical' end,
    current_setting('wal_level') = 'logical' or current_setting('wal_level') = 'replica' and '$delta_slot' = ''),
  ('hot_standby', 'on', current_setting('hot_standby')::bool),
  ('wal_log_hints', 'on', current_setting('wal_log_hints')::bool or current_setting('data_checksums')::bool),
  ('max_wal_senders', '10', current_setting('max_wal_senders')::int >= 4),
  ('max_replication_slots', '10', current_setting('max_replication_slots')::int >= 4)) as need (name, wanted, met)
SQL
}

# Whether a listen_addresses is one by which `host` is reached. Where an address is translated on the way only the other
# site can tell.
listens() { # VALUE
  case ,$(printf '%s' "$1" | tr -d ' '), in
  *,'*',* | *,0.0.0.0,* | *,::,* | *,"$host",*) ;;
  *) return 1 ;;
  esac
}
