#!/bin/sh
# flip: one switchover by a bare shell script, as fast as honest shell can be. The floor that every figure of the product
# is held against: no lock, no epoch, no permit, no undo, no second opinion. It prints milliseconds per stage.
#
#   flip.sh BINDIR FROM_DATA TO_DATA FROM_SOCKET TO_SOCKET FROM_PORT TO_PORT SLOT CONNINFO [SUPERUSER]
#
# FROM serves, TO follows it. SLOT is the one that FROM will use at TO; CONNINFO is what FROM follows TO by.
# Environment, each a command (empty: nothing):
#   DRAIN  at FROM, before the stop    SERVE  at TO, after the promotion
# Functions enter_from and enter_to, each running a text at its site, may be put in front of this script; without them
# both sites are right here.
# shellcheck disable=SC2016 # the texts are expanded at the sites
set -eu
settings="bin='$1' from_data='$2' to_data='$3' from_socket='$4' to_socket='$5' from_port='$6' to_port='$7' slot='$8' conninfo='$9'"
to_data=$3
shift 9
settings="$settings
export LC_ALL=C TZ=UTC PGUSER='${1:-postgres}' PGDATABASE=postgres
"'sql() { "$bin/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --host="$1" --port="$2"; }
'
if ! command -v enter_from >/dev/null; then
  enter_from() { eval "$1"; }
  enter_to() { eval "$1"; }
fi
stamp() { # NAME: milliseconds since the last stamp
  next=$(date +%s%3N)
  printf '%s=%s\n' "$1" "$((next - last))"
  last=$next
}

# The texts of the stages, read before any clock runs.
checkpoint_from='echo "checkpoint;" | sql "$from_socket" "$from_port"'
checkpoint_to='echo "checkpoint;" | sql "$to_socket" "$to_port"'
stop_text=$(
  cat <<'TEXT'
: >"$from_data/standby.signal"
sync "$from_data/standby.signal" "$from_data"
read -r pid <"$from_data/postmaster.pid"
kill -s INT "$pid"
while [ -e "$from_data/postmaster.pid" ]; do sleep 0.005; done
"$bin/pg_controldata" --pgdata="$from_data"
TEXT
)
# Past the start of the shutdown record means that the record itself was replayed: it is the last one.
promote_text=$(
  cat <<'TEXT'
sql "$to_socket" "$to_port" <<SQL
do \$\$ begin while pg_last_wal_replay_lsn() <= '$lsn' loop perform pg_sleep(0.003); end loop; end \$\$;
select count(pg_create_physical_replication_slot('$slot', true)) as made where not exists (select from pg_replication_slots where slot_name = '$slot') \gset
select pg_promote(false) as asked \gset
do \$\$ declare looks int := 0; begin while pg_is_in_recovery() loop perform pg_sleep(0.003); looks := looks + 1;
  if looks % 12 = 0 then perform pg_reload_conf(); end if; end loop; end \$\$;
begin;
select pg_logical_emit_message(true, 'floor', 'probe') as probe \gset
commit;
select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;
SQL
TEXT
)
rejoin_text=$(
  cat <<'TEXT'
printf "primary_conninfo = '%s'\nprimary_slot_name = '%s'\n" "$conninfo" "$slot" >>"$from_data/postgresql.auto.conf"
"$bin/pg_ctl" start --no-wait --silent --pgdata="$from_data" --log="$from_data/../floor.log" >/dev/null 2>&1
TEXT
)
streams_text=$(
  cat <<'TEXT'
sql "$to_socket" "$to_port" <<SQL
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '20 s';
begin
  while not exists (select from pg_stat_replication where state = 'streaming') loop
    perform pg_stat_clear_snapshot();
    if clock_timestamp() > give_up then raise exception 'no standby streams after 20 s'; end if;
    perform pg_sleep(0.01);
  end loop;
end \$\$;
SQL
TEXT
)

last=$(date +%s%3N)
begin=$last
enter_from "$settings$checkpoint_from"
enter_to "$settings$checkpoint_to"
stamp checkpoint
if [ -n "${DRAIN:-}" ]; then enter_from "$DRAIN" </dev/null; fi
stamp drain

gap=$(date +%s%3N)
control=$(enter_from "$settings$stop_text")
state='' lsn=''
while IFS= read -r line; do
  case $line in
  'Database cluster state:'*) state=${line##*  } ;;
  'Latest checkpoint location:'*) lsn=${line##* } ;;
  *) ;;
  esac
done <<CONTROL
$control
CONTROL
if [ "$state" != 'shut down' ]; then
  printf 'not a clean stop: %s\n' "$state" >&2
  exit 77
fi
stamp stop
timeline=$(enter_to "${settings}lsn='$lsn'
$promote_text")
stamp compare_and_promote
printf 'gap=%s\n' "$((last - gap))"
if [ -n "${SERVE:-}" ]; then enter_to "$SERVE" </dev/null; fi
stamp serve

enter_from "$settings$rejoin_text"
enter_to "$settings$streams_text"
stamp rejoin
printf 'timeline=%s\ntotal=%s\nprimary=%s\n' "$timeline" "$((last - begin))" "$to_data"
