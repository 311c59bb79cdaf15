#!/bin/sh
# ground: what the first update must know of a host before it writes anything. Functions only, in front of observe. It looks
# only where the pair is not made yet or the site holds no data, so that no fail-over waits for it.
# shellcheck disable=SC2154 # lib.sh, place.sh and observe.sh set them

wants_ground() { [ ! -e "$data/PG_VERSION" ] || [ ! -e "$state/record" ]; }

observe_ground() {
  fact account "${switch_user:--}"
  fact entered_as "$(id -un)"
  init=other
  if [ -d /run/systemd/system ]; then init=systemd; fi
  fact init "$init"
  find_block "$state" || :
  if [ -z "$blocked" ]; then find_block "$data" || :; fi
  fact blocked "${blocked:--}"
  observe_unmade
  observe_home
  link=-
  if [ -L "$data" ]; then link=$(readlink --canonicalize "$data") || link=nowhere; fi
  fact link "$link"
  mount=no
  if [ -d "$data" ] && [ "$(stat --format=%d "$data/.")" != "$(stat --format=%d "$data/..")" ]; then mount=yes; fi
  fact mount "$mount"
  chosen=$bindir
  programs_of ''
  bindir=$chosen
  fact majors "${majors:--}"
  observe_clusters
}

# Only root makes the first folder below /var/lib.
observe_unmade() {
  above=$state unmade=-
  while [ ! -d "${above:-/}" ]; do above=${above%/*}; done
  if [ "$above" != "$state" ] && [ ! -w "${above:-/}" ]; then unmade=$state; fi
  fact unmade "$unmade"
}

# The password of the pair lies in the owner's home.
observe_home() {
  lacking=-
  if [ -z "$home" ] || [ ! -d "$home" ]; then
    lacking=missing
  elif ! as_owner test -x "$home" || [ ! -w "$home" ]; then
    lacking=closed
  elif [ -e "$home/.pgpass" ] && [ ! -f "$home/.pgpass" ]; then
    lacking=closed
  fi
  fact home "${home:--}"
  fact home_lacking "$lacking"
}

# Debian's clusters of this host, as VERSION/NAME:PORT:DATA.
observe_clusters() {
  clusters=''
  for conf in /etc/postgresql/*/*/postgresql.conf; do
    if [ ! -r "$conf" ]; then continue; fi
    named=${conf#/etc/postgresql/}
    clusters="$clusters,${named%/postgresql.conf}:$(conf_value port "$conf"):$(conf_value data_directory "$conf")"
  done
  clusters=${clusters#,}
  fact clusters "${clusters:--}"
}

# A site without a database: whether one can be copied to it.
observe_empty() {
  contents=missing inner=-
  find_block "${data%/*}" || contents=closed
  if [ -d "$data" ]; then
    inside=$(ls -A "$data" 2>/dev/null) && contents=foreign || contents=closed
    case $contents$inside in
    foreign) contents=empty ;;
    foreignlost+found) contents=lost+found ;;
    *) for found in "$data"/*/PG_VERSION; do if [ -e "$found" ]; then inner=${found%/PG_VERSION}; fi; done ;;
    esac
  elif [ -e "$data" ] || [ -L "$data" ]; then
    contents=foreign
  fi
  fact contents "$contents"
  fact inner "$inner"
  # The copy is made beside PGDATA, on the file system of the folder above.
  above=${data%/*}
  while [ ! -d "${above:-/}" ]; do above=${above%/*}; done
  fact free "$(df --output=avail --block-size=1 "${above:-/}" | tail --lines=1 | tr -d ' ')"
  taken=no
  if port_is_taken; then taken=yes; fi
  fact port_taken "$taken"
  locales=$(locale -a 2>/dev/null | paste --serial --delimiters=,) || locales=''
  fact has_locales "${locales:--}"
  libraries=''
  for library in "${bindir%/bin}"/lib/*.so; do
    if [ ! -e "$library" ]; then continue; fi
    library=${library##*/}
    libraries="$libraries,${library%.so}"
  done
  libraries=${libraries#,}
  fact has_libraries "${libraries:--}"
  observe_peer_port
}

# By the socket, which every PostgreSQL of this folder has, or by an address that ours would listen on.
port_is_taken() {
  folder=$(cd -P "$socket" 2>/dev/null && pwd) || folder=$socket
  if grep --quiet --extended-regexp " ($socket|$folder)/\.s\.PGSQL\.$port\$" /proc/net/unix 2>/dev/null; then return 0; fi
  address=0
  case $host in
  *[!0-9.]*) ;;
  *) address=$(IFS=. && set -f && for part in $host; do printf '%s ' "$part"; done | awk '{ printf "%02X%02X%02X%02X", $4, $3, $2, $1 }') ;;
  esac
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    grep --quiet --extended-regexp "^ *[0-9]+: (0{8}|0{32}|$address):$(printf '%04X' "$port") [0-9A-F]+:0000 0A "
}

# Any answer will do: before prepare nobody is let in.
observe_peer_port() {
  reached=-
  if [ -n "$peer_host" ] && [ -x "$bindir/pg_isready" ]; then
    reached=open
    "$bindir/pg_isready" --quiet --host="$peer_host" --port="$peer_port" --timeout=3 </dev/null || { if [ "$?" -ge 2 ]; then reached=closed; fi; }
  fi
  fact peer_port "$reached"
}

# A server that runs. `blank`: it holds nothing but what initdb made.
observe_server() {
  while IFS= read -r line; do
    case $line in
    listen=*)
      listening=yes
      listens "${line#listen=}" || listening=no
      fact listens "$listening"
      fact listen "${line#listen=}"
      ;;
    *=*) fact "${line%%=*}" "${line#*=}" ;;
    *) ;;
    esac
  done <<ANSWER
$(ask "$(server_sql)")
ANSWER
}

server_sql() {
  cat <<SQL
select concat_ws(E'\n',
  'listen=' || current_setting('listen_addresses'),
  'superuser=' || current_setting('is_superuser'),
  'unmet=' || coalesce((select string_agg(name || ':' || wanted || ':' || current_setting(name), ',') from $(needs_sql) where not met), '-'),
  'blank=' || case when not exists (select from pg_database where datname not in ('postgres', 'template0', 'template1'))
    and not exists (select from pg_class where oid >= 16384) then 'yes' else 'no' end,
  'locales=' || coalesce((select string_agg(distinct name, ',') from pg_database, lateral (values (datcollate), (datctype)) as each_locale (name)), '-'),
  'libraries=' || coalesce((select string_agg(distinct regexp_replace(probin, '^.*/', ''), ',') from pg_proc where probin like '\$libdir/%'), '-'))
SQL
}
