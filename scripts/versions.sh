#!/bin/sh
# versions: all that the majors of PostgreSQL want done differently, 14 to 18. Functions only; docs/adr/0017 says why here.
# Texts whose form changed (pg_waldump's, in deltaScan.sh and alone.sh) are read in every form where they are read.
# shellcheck disable=SC2034,SC2154 # lib.sh and the verbs set and read them

# Sets `server_major`, and with it what our sessions ask for: the data's, or MAJOR where the data is still to come, or 0.
# Danger: the programs of a site without data may be newer than its peer, and a setting that a server does not know ends the
# session that asks for it.
find_major() { # [MAJOR]
  server_major=${1:-}
  if [ -r "$data/PG_VERSION" ]; then IFS= read -r server_major <"$data/PG_VERSION" || :; fi
  server_major=${server_major%%.*}
  case $server_major in '' | *[!0-9]*) server_major=0 ;; *) ;; esac
  session_options=''
  # Only a superuser may set these; the replication role has them as its own (role_options).
  local_options=' -c session_preload_libraries= -c session_replication_role=origin -c plpgsql.variable_conflict=error'
  if [ "$server_major" -ge 17 ]; then
    # The time limit of a role or a database must not cut short a session that waits for a standby.
    session_options=' -c transaction_timeout=0'
    # A login trigger that writes fails on a standby, and with it every login. Only a superuser may leave it out.
    local_options="$local_options -c event_triggers=off"
  fi
  export PGOPTIONS="$base_options$session_options"
}

# Debian's folders are named after the major; elsewhere the server is asked.
programs_major() {
  number=${bindir%/bin}
  number=${number##*/}
  case $number in
  '' | *[!0-9]*)
    number=$("$bindir/postgres" --version 2>/dev/null) || number=''
    number=${number#*') '}
    number=${number%%[!0-9]*}
    ;;
  *) ;;
  esac
  printf '%s' "$number"
}

# A program that enters this site's own server as its superuser.
locally() {
  as_owner env PGOPTIONS="$PGOPTIONS$local_options" "$@"
}

# Whether the folder came, or was upgraded, since find_major looked: the guard then begins anew.
major_changed() {
  found=$server_major
  if [ -r "$data/PG_VERSION" ]; then IFS= read -r found <"$data/PG_VERSION" || :; fi
  [ "${found%%.*}" != "$server_major" ]
}

# Triggers of a promotion that a standby must not obey, empty. Up to 15 a file could be one. The folder is asked, which may
# have come since find_major looked: a server does not start with an option that its major does not know.
version_options() {
  IFS= read -r server_major <"$data/PG_VERSION"
  if [ "$server_major" -le 15 ]; then printf ' -c promote_trigger_file='; fi
}

# What prepare adds to the replication role, which is no superuser and cannot leave a login trigger out by itself.
role_options() {
  # From this session's own: an empty text given by SET would be a list of one library without a name.
  printf 'alter role "%s" set session_preload_libraries from current;\n' "$replication_user"
  printf "select format('alter role %%I in database %%I set session_preload_libraries from current', '%s', current_database()) \\gexec\n" "$replication_user"
  if [ "$server_major" -ge 17 ]; then printf 'alter role "%s" set event_triggers = off;\n' "$replication_user"; fi
}

# For the copy that deltaDecode starts: room for whatever the folder holds. Up to 17 slots and origins share one limit.
decode_options() {
  if [ "$server_major" -ge 18 ]; then printf 'max_active_replication_origins = 1000\n'; fi
}

# From 15 on a library may archive in the place of a command; where to, its own settings say. '' where there is none.
archive_sql() {
  cat <<'SQL'
coalesce((select ' library ' || archiver || coalesce((select string_agg(' ' || name || '=' || setting, '' order by name)
    from (select distinct on (name) name, setting from pg_file_settings where split_part(name, '.', 1) = archiver order by name, seqno desc) as own), '')
  from nullif(current_setting('archive_library', true), '') as archiver where archiver is not null), '')
SQL
}
