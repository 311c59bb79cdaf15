#!/bin/sh
# prepare: everything a flip leans on, put in place while nothing depends on it. Safe to repeat; suits either role.
# value is the hash of what prepare leaves behind; it is stored last, so that a half-done prepare is done again.

main() {
  read_input
  make_state
  take_lock
  if [ -n "$password" ]; then remember_password; fi
  stay_down_at_boot
  if ! has_database; then
    if [ -n "$config" ]; then admit_pair "${config%/*}/pg_hba.conf"; fi
  else
    if ! postmaster; then later "PostgreSQL is not running here" "start it and run the update again"; fi
    prepare_server
  fi
  checkpoint before-prepared
  # In the order of guard.conf. Other addresses in the program make this site ready anew, also at rest.
  store pair "$port,$host,$peer_host,$peer_port"
  store prepared "$value"
  fact prepared "$value"
}

# ~/.pgpass for both directions: this site will be the follower one day, and asks itself in tests.
remember_password() {
  secret=$(
    sed 's/[\\:]/\\&/g' <<SECRET
$password
SECRET
  )
  touch "$PGPASSFILE"
  {
    # Also those of an address that a site no longer has: they hold this very password.
    grep --fixed-strings --invert-match --regexp="$peer_host:$peer_port:*:$replication_user:" --regexp="$host:$port:*:$replication_user:" \
      --regexp=":*:$replication_user:$secret" "$PGPASSFILE" || :
    printf '%s:%s:*:%s:%s\n' "$peer_host" "$peer_port" "$replication_user" "$secret"
    printf '%s:%s:*:%s:%s\n' "$host" "$port" "$replication_user" "$secret"
  } >"$PGPASSFILE.new"
  give_to_owner "$PGPASSFILE.new"
  mv "$PGPASSFILE.new" "$PGPASSFILE"
}

# Debian starts clusters at boot by itself; after a power cut that would bring an old primary back writable. Where its unit
# is bound to the guard, that is what shall start it.
stay_down_at_boot() {
  if is_bound; then return 0; fi
  case $config in
  /etc/postgresql/*) if [ -e "${config%/*}/start.conf" ]; then printf 'manual\n' >"${config%/*}/start.conf"; fi ;;
  *) ;;
  esac
}

# One managed block at the top of pg_hba.conf, where it wins over what follows.
admit_pair() {
  begin="# standby $name begin" finish="# standby $name end"
  cp --preserve=all "$1" "$1.new"
  {
    printf '%s\n' "$begin"
    for address in "$peer_host" "$host"; do
      case $address in
      *:*) address=$address/128 ;;
      *[!0-9.]*) ;;
      *) address=$address/32 ;;
      esac
      printf 'host replication %s %s scram-sha-256\nhost %s %s %s scram-sha-256\n' "$replication_user" "$address" "$database" "$replication_user" "$address"
    done
    printf '%s\n' "$finish"
    sed "/^$begin\$/,/^$finish\$/d" "$1"
  } >"$1.new"
  if cmp --silent "$1" "$1.new"; then rm "$1.new"; else mv "$1.new" "$1"; fi
}

prepare_server() {
  answer=$(
    sql <<SQL
select current_setting('hba_file');
select case when pg_is_in_recovery() then 'standby' else 'primary' end;
select format('alter system set %s = %s;', name, wanted) from $(needs_sql) where not met;
SQL
  ) || no_answer
  rules=${answer%%
*}
  role='' unmet=''
  while IFS= read -r line; do
    case $line in
    standby | primary) role=$line ;;
    'alter system'*) unmet="$unmet $line" ;;
    *) ;;
    esac
  done <<ANSWER
$answer
ANSWER
  if [ -n "$unmet" ]; then refuse "settings here need a restart first:$unmet" "run these commands in psql, restart PostgreSQL, then run the update again"; fi
  admit_pair "$rules"
  set_parameters
  if [ "$role" = primary ]; then make_role; fi
}

# The state folder is made known first: only a parameter the session knows can be stored.
set_parameters() {
  sql <<SQL
set standby.state_directory = '$state';
alter system set standby.state_directory = '$state';
alter system set wal_retrieve_retry_interval = '100ms';
alter system set max_slot_wal_keep_size = '$slot_keep';
select pg_reload_conf() as reloaded \gset
SQL
}

# standby.answer: nonce, role, epoch, to, what the guard says of itself, the epoch of the last promotion; of a standby also how far its
# WAL goes: timeline, position, `whole` or `busy`, hash of up to 8 kB before it. `whole`: replay waits for WAL from elsewhere, so
# what it has received beyond is no whole record. `busy`: it has more to replay. The control file may name the timeline before.
# The statement holds the password, so this session is kept out of every log and statistic.
make_role() {
  quoted=$(
    sed "s/'/''/g" <<SECRET
$password
SECRET
  )
  secret_clause=''
  if [ -n "$password" ]; then secret_clause="password '$quoted'"; fi
  sql <<SQL || fault "the role, the function or the slot could not be made" "look at the lines above, then run the update again"
set log_statement = none;
-- An md5 that the server prefers is one that the pair's own rules in pg_hba.conf refuse.
set password_encryption = 'scram-sha-256';
set log_min_duration_statement = -1;
set log_min_error_statement = panic;
set pg_stat_statements.track_utility = off;
set standard_conforming_strings = on;
select not exists (select from pg_roles where rolname = '$replication_user') as absent \gset
\if :absent
create role "$replication_user" login replication;
\endif
alter role "$replication_user" login replication bypassrls $secret_clause;
$(role_options)
-- It can copy the whole database as it is; the delta asks it to compare single rows as well, and a copy asks for sizes.
grant pg_read_all_data, pg_read_all_stats to "$replication_user";
select format('grant temporary on database %I to %I', current_database(), '$replication_user') \gexec
create schema if not exists standby;
create or replace function standby.answer(nonce text) returns text language sql security definer set search_path = pg_catalog as \$\$
  select concat_ws(' ', left(nonce, 64), case when recovering then 'standby' else 'primary' end,
    coalesce(substring(record from 'epoch=([0-9]+)'), '0'), coalesce(substring(record from ' to=([ab]) '), '-'),
    coalesce((select array_to_string(word[4:7], '/') from string_to_array(translate(live, E'\\n', ''), ' ') as word
      where clock_timestamp() - (pg_stat_file(folder || '/guard.live', true)).modification < word[7]::int * interval '1 ms'), '-'),
    coalesce(substring(promoted from '^[0-9]+'), '0'), coalesce(held, '- - - -'))
  from (select pg_is_in_recovery() as recovering, folder, pg_read_file(folder || '/record', 0, 200, true) as record,
    pg_read_file(folder || '/guard.live', 0, 200, true) as live, pg_read_file(folder || '/promoted', 0, 200, true) as promoted
    from current_setting('standby.state_directory') as folder) as site left join
  (select concat_ws(' ', tli, '0/0'::pg_lsn + held::numeric, case when waits then 'whole' else 'busy' end, coalesce(encode(sha256(pg_read_binary_file(
      'pg_wal/' || lpad(upper(to_hex(tli)), 8, '0') || lpad(upper(to_hex((held - 1) / 4294967296)), 8, '0') || lpad(upper(to_hex((held - 1) % 4294967296 / size)), 8, '0'),
      greatest(held - 8192, (held - 1) / size * size) % size, held - greatest(held - 8192, (held - 1) / size * size), true)), 'hex'), '-')) as held
    from (select tli, size, waits, (case when waits then replayed else greatest(replayed, received) end - '0/0')::bigint as held from (select
      (select greatest(timeline_id, (select min_recovery_end_timeline from pg_control_recovery()), (select max(('x' || left(name, 8))::bit(32)::int) from pg_ls_waldir()
        where name like '%.history' and pg_last_wal_replay_lsn() >= (select max(word[1]::pg_lsn)
          from regexp_matches(pg_read_file('pg_wal/' || name), '^[0-9]+[[:space:]]+([0-9A-F]+/[0-9A-F]+)', 'gn') as word))) from pg_control_checkpoint()) as tli,
      pg_size_bytes(current_setting('wal_segment_size')) as size, pg_last_wal_replay_lsn() as replayed, pg_last_wal_receive_lsn() as received,
      exists (select from pg_stat_activity where backend_type = 'startup' and wait_event in ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')) as waits) as ends
      where pg_is_in_recovery()) as place) as wal on true
\$\$;
revoke all on function standby.answer(text) from public;
grant usage on schema standby to "$replication_user";
grant execute on function standby.answer(text) to "$replication_user";
create or replace function standby.checkpoint() returns void language plpgsql security definer set search_path = pg_catalog as \$\$ begin checkpoint; end \$\$;
create table if not exists standby.mark (site text primary key, nonce text not null);
create or replace function standby.write_mark(place text, word text) returns void language sql security definer set search_path = pg_catalog as \$\$
  insert into standby.mark values (left(place, 1), left(word, 64)) on conflict (site) do update set nonce = excluded.nonce
\$\$;
revoke all on function standby.checkpoint(), standby.write_mark(text, text) from public;
grant execute on function standby.checkpoint(), standby.write_mark(text, text), pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
  pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to "$replication_user";
select count(pg_create_physical_replication_slot('standby_$peer', true)) as slot
  where not exists (select from pg_replication_slots where slot_name = 'standby_$peer') \gset
SQL
  stored=$(
    sql <<SQL
select coalesce(left(rolpassword, 14), 'none') from pg_authid where rolname = '$replication_user';
SQL
  ) || no_answer
  if [ "$stored" != SCRAM-SHA-256$ ]; then refuse "the password of role $replication_user is not stored as SCRAM ($stored...)" "see what changes it besides pulumi, then run the update again"; fi
}
