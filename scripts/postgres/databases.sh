#!/bin/sh
# databases: enters each database of this site that can be entered. Functions only; of preflight and promote.
# Danger: PostgreSQL allows any name: one with `=` or `postgresql://` in front is a connection string to psql, and one may hold a line
# end. So each name travels in base64, as the whole of dbname='...'.
# shellcheck disable=SC2154 # lib.sh sets them

# Calls `$1` for each, with `place` (its connection string), `place_oid` and `place_name` (for people) set.
each_database() { # FUNCTION
  databases=$(
    sql <<'SQL'
select concat_ws(' ', oid, replace(encode(convert_to('dbname=''' || replace(replace(datname, '\', '\\'), '''', '\''') || '''', getdatabaseencoding()), 'base64'), chr(10), ''),
    translate(datname, chr(9) || chr(10) || chr(13) || ' ', '____'))
  from pg_database where datallowconn and not datistemplate and datconnlimit <> -2 order by oid;
SQL
  ) || no_answer "run the update again"
  while read -r place_oid place place_name; do
    if [ -z "$place_oid" ]; then continue; fi
    place=$(printf '%s' "$place" | base64 --decode)
    "$1"
  done <<DATABASES
$databases
DATABASES
}
