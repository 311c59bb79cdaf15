#!/bin/sh
# kept: settings of the user's that a flip or a rejoin must put aside for a while, and how they come back. Functions only; stands
# in front of delta, rejoin and settle. What was there is noted beside the setting itself, in postgresql.auto.conf, as
# standby.kept_NAME: so it goes wherever that file goes, into a copy too. `-`: the line was in another file or nowhere, so
# taking ours away brings it back.
# shellcheck disable=SC2154,SC2034 # lib.sh and returned.sh set them and read them

# For a server that does not run: adds the note to `lines`, unless there is one already.
keep_line() { # NAME
  if grep --quiet "^standby\.kept_$1 = '" "$conf"; then return 0; fi
  was=$(sed -n "s/^$1 *= *//p" "$conf" | tail --lines=1)
  case $was in
  "''") return 0 ;;
  '') was="'-'" ;;
  *) ;;
  esac
  lines="${lines}standby.kept_$1 = $was
"
}

# The same for one that runs, as SQL.
keep_sql() { # NAME
  cat <<SQL
select coalesce(current_setting('standby.kept_$1', true), '') = '' and current_setting('$1') <> '' as putting_aside,
  (select case when sourcefile like '%/postgresql.auto.conf' then setting else '-' end from pg_settings where name = '$1') as was \gset
\if :putting_aside
set standby.kept_$1 = '';
alter system set standby.kept_$1 = :'was';
\endif
SQL
}

# What a person added to this site's connection, such as sslmode, in front of what the pair needs. A value in quotes cannot be
# carried: it is named.
connection_extras() { # FILE
  extras=''
  was=$(sed -n -e "s/^standby\.kept_primary_conninfo = '\(..*\)'\$/\1/p" -e "s/^primary_conninfo *= *'\(..*\)'\$/\1/p" "$1" | grep --invert-match --line-regexp --regexp=- | tail --lines=1)
  set -f
  for word in $was; do
    case ${word%%=*} in
    host | hostaddr | port | user | password | passfile | dbname | replication | application_name | connect_timeout | tcp_user_timeout | keepalives_idle) ;;
    *)
      case $word in
      *[\'\"\\]*) say "primary_conninfo had $word, which cannot be carried over: add it by hand with ALTER SYSTEM SET primary_conninfo" ;;
      [a-z]*=?*) extras="$extras $word" ;;
      *) ;;
      esac
      ;;
    esac
  done
  set +f
}

# Once it follows again: its own restore_command may fetch WAL again.
bring_back() {
  back=$(
    sql <<SQL
select coalesce(current_setting('standby.kept_restore_command', true), '') as kept, coalesce(current_setting('standby.kept_primary_conninfo', true), '') <> '' as joined \gset
select :'kept' <> '' as has, :'kept' = '-' as elsewhere \gset
\if :has
\if :elsewhere
alter system reset restore_command;
\else
alter system set restore_command = :'kept';
select 'back';
\endif
alter system reset standby.kept_restore_command;
\endif
\if :joined
alter system reset standby.kept_primary_conninfo;
\endif
select pg_reload_conf() as reloaded \gset
SQL
  ) || say "restore_command could not be brought back: see standby.kept_restore_command in $data/postgresql.auto.conf"
  if [ "$back" = back ]; then say "restore_command is back as it was"; fi
}

# A promotion empties synchronous_standby_names, or no commit would end before the other site is back. Here it is the primary,
# and the other site streams: what was there comes back, under the other site's name. Danger: a list that is not met hangs
# every commit; so the server is asked whether it is, and it is emptied again if not.
bring_back_names() {
  answer=$(
    sql <<SQL
select not pg_is_in_recovery() and coalesce(current_setting('standby.kept_synchronous_standby_names', true), '') <> '' as has,
  current_setting('synchronous_standby_names') <> '' as set_since, replace(current_setting('standby.kept_synchronous_standby_names', true), 'standby_$site', 'standby_$peer') as names \gset
\if :has
\if :set_since
alter system reset standby.kept_synchronous_standby_names;
\else
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '3 s';
begin
  while not exists (select from pg_stat_replication where application_name = 'standby_$peer' and state = 'streaming') and clock_timestamp() < give_up loop
    perform pg_stat_clear_snapshot();
    perform pg_sleep(0.05);
  end loop;
end \$\$;
select exists (select from pg_stat_replication where application_name = 'standby_$peer' and state = 'streaming') and :'names' ~ '\*|standby_$peer' as fits,
  exists (select from pg_file_settings where name = 'synchronous_standby_names' and sourcefile not like '%/postgresql.auto.conf' and setting = :'names') as elsewhere \gset
select 'names', :'names';
\if :fits
\if :elsewhere
alter system reset synchronous_standby_names;
\else
alter system set synchronous_standby_names = :'names';
\endif
select pg_reload_conf() as reloaded, set_config('standby.needed', coalesce(substring(:'names' from '(?i)^\s*(?:first|any)?\s*([0-9]+)\s*\('), '1'), false) as needed \gset
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '3 s';
begin
  while (select count(*) from pg_stat_replication where state = 'streaming' and sync_state in ('sync', 'quorum')) < current_setting('standby.needed')::int
      and clock_timestamp() < give_up loop
    perform pg_stat_clear_snapshot();
    perform pg_sleep(0.05);
  end loop;
end \$\$;
select count(*) >= :'needed'::int as met from pg_stat_replication where state = 'streaming' and sync_state in ('sync', 'quorum') \gset
\if :met
alter system reset standby.kept_synchronous_standby_names;
select 'back';
\else
alter system set synchronous_standby_names = '';
\endif
select pg_reload_conf() as reloaded \gset
\endif
\endif
\endif
SQL
  ) || answer=''
  case $answer in
  '') ;;
  *back) say "synchronous_standby_names is back: $(printf '%s\n' "$answer" | sed -n 's/^names|//p')" ;;
  *) say "synchronous_standby_names is empty since the promotion; it was '$(printf '%s\n' "$answer" | sed -n 's/^names|//p')', which site $peer does not meet now: set it by hand, ALTER SYSTEM SET synchronous_standby_names = ..." ;;
  esac
}
