#!/bin/sh
# deltaRows: second half of the verb delta: the rows themselves, read at this site and held against the peer's.
# Values travel as COPY text from end to end; JSON is for eyes only.

# Text of a row must not depend on who asks.
steady="set client_min_messages = warning; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1; set timezone = 'UTC'; set xmloption = 'content'; set row_security = off; set lc_monetary = 'C';"

peer_rows() {
  as_owner timeout "$step_bound" "$bindir/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --no-password \
    "host=$peer_host port=$peer_port user=$replication_user dbname=$database connect_timeout=3"
}

# A file that psql is to read or write belongs to the owner.
owned() {
  : >"$1"
  give_to_owner "$1"
}

# map: which file of the data folder is what. Kinds: t table, c catalog, s sequence, l large objects, m view, i no matter.
read_map() {
  sql >"$work/map" <<'SQL' || no_answer
select concat_ws(' ', coalesce(nullif(c.reltablespace, 0), d.dattablespace) || '/' || case when c.relisshared then 0 else d.oid end || '/' || pg_relation_filenode(c.oid),
  case when c.oid in (2613, 2995) then 'l' when c.oid in (2619, 3429) or n.nspname in ('standby', 'pg_toast') then 'i' when c.oid < 16384 then 'c'
    when c.relkind = 'S' then 's' when c.relkind = 'm' then 'm' when c.relkind = 'r' and c.relpersistence = 'p' then 't' else 'i' end,
  case when c.oid < 16384 then c.relname::text else c.oid::text end)
from pg_class c join pg_namespace n on n.oid = c.relnamespace, pg_database d
where d.datname = current_database() and pg_relation_filenode(c.oid) is not null;
SQL
  database_oid=$(echo 'select oid from pg_database where datname = current_database()' | sql)
}

# One line per table, tab-separated, with the pieces of SQL that the rest is put together from. delta_a is a row of this
# site, delta_b one of the peer. A name that could break a line is left to a person.
table_pieces() {
  cat <<SQL
with wanted as (select unnest('{$1}'::oid[]) as oid),
keyed as (select distinct on (i.indrelid) i.indrelid as oid, i.indkey::int2[] as keys, i.indnkeyatts as n from pg_index i join wanted w on w.oid = i.indrelid
  where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
    and not exists (select from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) k join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k where not a.attnotnull)
  order by i.indrelid, i.indisprimary desc, i.indisreplident desc, i.indexrelid),
columns as (select a.attrelid as oid, a.attnum, quote_ident(a.attname) as name, a.attname, a.attidentity,
    array_position((k.keys)[0:k.n - 1], a.attnum) is not null as is_key
  from pg_attribute a join wanted w on w.oid = a.attrelid left join keyed k on k.oid = a.attrelid
  where a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
select row_number() over (order by c.oid), c.oid, format('%I.%I', n.nspname, c.relname), quote_literal(format('%I.%I', n.nspname, c.relname)),
  case when k.oid is null then 'bare' else 'keyed' end,
  coalesce(string_agg(p.name, ', ' order by attnum) filter (where is_key), '-'),
  string_agg(p.name, ', ' order by attnum),
  string_agg('delta_a.' || p.name, ', ' order by attnum),
  string_agg('delta_b.' || p.name, ', ' order by attnum),
  coalesce(string_agg('delta_a.' || p.name, ', ' order by attnum) filter (where is_key), '-'),
  coalesce(string_agg('delta_b.' || p.name, ', ' order by attnum) filter (where is_key), '-'),
  coalesce(string_agg('delta_b.' || p.name || ' as delta_k' || attnum, ', ' order by attnum) filter (where is_key), '-'),
  coalesce(string_agg('delta_o.' || p.name || ' as delta_k' || attnum, ', ' order by attnum) filter (where is_key), '-'),
  coalesce(string_agg('delta_a.' || p.name || ' = delta_b.' || p.name, ' and ' order by attnum) filter (where is_key), 'false'),
  coalesce(string_agg('delta_a.delta_k' || attnum || ' = delta_b.' || p.name, ' and ' order by attnum) filter (where is_key), 'false'),
  coalesce(string_agg(p.name || ' = delta_a.' || p.name, ', ' order by attnum) filter (where attidentity <> 'a' and not is_key), '-'),
  coalesce(string_agg('delta_a.delta_k' || attnum || ' = delta_a.' || p.name, ' and ' order by attnum) filter (where is_key), 'false'),
  coalesce(string_agg('coalesce(delta_o.' || p.name || ', delta_a.' || p.name || ') as delta_k' || attnum, ', ' order by attnum) filter (where is_key), '-')
from pg_class c join pg_namespace n on n.oid = c.relnamespace join columns p on p.oid = c.oid left join keyed k on k.oid = c.oid
group by c.oid, n.nspname, c.relname, k.oid
having format('%I.%I', n.nspname, c.relname) || string_agg(p.name, '') !~ '[[:cntrl:]\\\\]'
order by c.oid
SQL
}

# Same columns under the same oid: only then a row of one site can be held against the other's.
signature_query() {
  printf '%s\n' "select a.attrelid || ' ' || md5(string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, attgenerated, n.nspname, c.relname), ',' order by attnum))" \
    "from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace where attnum > 0 and not attisdropped and a.attrelid = any('{$1}'::oid[]) and c.relkind = 'r' group by a.attrelid;"
}

# tables: the pieces, plus the counts of the WAL. Tables that the peer does not have with these columns are noted by hand.
list_tables() {
  touched=$(awk '$1 == "t" { print $2 }' "$work/changes")
  if [ "$complete" = no ]; then
    touched=$(awk '$2 == "t" { print $3 }' "$work/map")
    note "the WAL before $scan_from is gone, so every table was compared: deletes from before the fork may be missing"
  fi
  oids=$(printf '%s' "$touched" | tr '\n' ',')
  {
    echo "copy ("
    table_pieces "$oids"
    echo ") to stdout;"
  } | sql >"$work/tables" || later "cannot read the tables here" "read the lines above, then run the update again"
  for oid in $touched; do
    if ! grep --quiet "^[0-9]*	$oid	" "$work/tables"; then note "table with oid $oid: it has no columns, or a name with control characters; its rows were not read"; fi
  done
  echo "select distinct conrelid from pg_constraint where condeferrable and contype in ('p', 'u', 'x') and conrelid = any('{$oids}'::oid[])" | sql >"$work/deferrable"
  signature_query "$oids" | sql | sort >"$work/signature.here"
  signature_query "$oids" | peer_rows | sort >"$work/signature.there"
  comm -12 "$work/signature.here" "$work/signature.there" | cut --delimiter=' ' --fields=1 >"$work/alike"
}

# Calls `$1` for each table of the list, with its pieces and its counts set.
each_table() { # FUNCTION [LIST]
  tab=$(printf '\t')
  while IFS="$tab" read -r n oid table literal keyed keys cols acols bcols akeys bkeys bkeys_as okeys_as same_key at_key set_list kept_key old_keys; do
    alike=no unread=no inserts=0 updates=0 keyups=0 deletes=0
    if grep --quiet --line-regexp "$oid" "$work/alike"; then alike=yes; fi
    read -r inserts updates keyups deletes <<COUNTS || :
$(awk -v oid="$oid" '$1 == "t" && $2 "" == oid "" { print $3, $4, $5, $6 }' "$work/changes")
COUNTS
    if [ "$complete" = no ]; then deletes=1; fi
    # It could not be read or compared: nothing more is done with it.
    if grep --quiet --line-regexp "$oid" "$work/unread"; then alike=no unread=yes; fi
    "$1"
  done <"${2:-$work/tables}"
}

# Tables go in portions, each a transaction of its own: the locks of all tables of a large database do not fit in one. A portion that
# fails is done once more table by table, so that one table stops only itself. Danger: psql says by 3 that a statement failed; anything else
# is a server that was lost, and no word on any table.
PORTION=50
in_portions() { # TAKE FAIL: TAKE LIST does the tables of a list; FAIL is called for each table that cannot be done
  rm -f "$work"/portion.*
  split --lines="$PORTION" --numeric-suffixes --suffix-length=4 "$work/tables" "$work/portion."
  for portion in "$work"/portion.*; do
    if [ ! -e "$portion" ] || take_portion "$1" "$portion"; then continue; fi
    while IFS= read -r table_line; do
      printf '%s\n' "$table_line" >"$work/single"
      if ! take_portion "$1" "$work/single"; then each_table "$2" "$work/single"; fi
    done <"$portion"
  done
  rm -f "$work"/portion.* "$work/single"
}
take_portion() { # TAKE LIST
  ended=0
  "$1" "$2" || ended=$?
  case $ended in 0) return 0 ;; 3) return 1 ;; *) ;; esac
  cat "$work/said" >&2
  later "the tables could not be read here and compared at site $peer to the end" "read the lines above, then run the update again"
}
# The first line that PostgreSQL said of it, for people.
said_first() { sed -n 's/^.*ERROR: *//p' "$work/said" | head --lines=1 | cut --characters=1-200; }

# The rows here whose newest version one of these transactions wrote, and all keys where something was taken away.
read_rows() {
  xid_list=$(tr '\n' ',' <"$work/xids")
  in_portions read_portion unreadable_table
}
read_portion() { # LIST
  {
    echo "$steady begin transaction isolation level repeatable read;"
    each_table rows_of "$1"
    echo "commit;"
  } | sql 2>"$work/said"
}
# Planning a query can call what an index or a constraint is made of. A copy of the bare table calls nothing.
unreadable_table() {
  echo "$oid" >>"$work/unread"
  reason=$(said_first)
  owned "$work/a$n"
  if printf "copy %s to stdout \\g '%s'\n" "$table" "$work/a$n" | sql 2>/dev/null; then
    note "table $table cannot be queried here ($reason): all its rows, also those of before the fork, are in a$n, not in delta.sql"
  else
    note "table $table cannot be read here ($reason): its rows are in no file"
  fi
}
rows_of() {
  owned "$work/a$n"
  printf "copy (select ctid::text, %s from only %s where xmin::text::bigint = any('{%s}'::bigint[])) to stdout \\g '%s'\n" "$cols" "$table" "${xid_list%,}" "$work/a$n"
  if [ "$keyed$delta_way" = keyedheap ] && [ $((deletes + keyups)) -gt 0 ]; then
    owned "$work/k$n"
    printf "copy (select %s from only %s) to stdout \\g '%s'\n" "$keys" "$table" "$work/k$n"
  fi
  owned "$work/p$n"
  awk -v oid="$oid" '$1 == "p" && $2 "" == oid "" { printf "%s\t%s\n", $3, $4 }' "$work/changes" >"$work/p$n"
}

# A transaction number that the peer gave out itself, after the fork: in [common_xid, next) by distance.
compare_rows() {
  : >"$work/counts"
  in_portions compare_portion incomparable_table
}
compare_portion() { # LIST
  {
    echo "$steady begin transaction isolation level repeatable read;"
    echo "select ((pg_snapshot_xmax(pg_current_snapshot())::text::numeric - $common_xid) % 4294967296 + 4294967296) % 4294967296 as delta_new \\gset"
    each_table compare_table "$1"
    echo "rollback;"
  } | peer_rows >"$work/compared" 2>"$work/said" || return
  cat "$work/compared" >>"$work/counts"
}
incomparable_table() {
  echo "$oid" >>"$work/unread"
  rm -f "$work/rows.$n.copy" "$work/rows.$n.jsonl" "$work/unsure.$n.copy"
  note "table $table cannot be compared at site $peer ($(said_first)): its rows are in a$n, not in delta.sql"
}
image() { printf "hashtextextended(row(%s)::text, 0)::text || ':' || hashtextextended(row(%s)::text, 1)::text" "$1" "$1"; }

compare_table() {
  if [ "$unread" = yes ]; then return 0; fi
  if [ "$alike" = no ]; then
    note "table $table differs at site $peer (columns, or it is not there): its rows are in a$n, not in delta.sql"
    return 0
  fi
  owned "$work/rows.$n.copy"
  owned "$work/rows.$n.jsonl"
  owned "$work/unsure.$n.copy"
  cat <<SQL
create temp table a$n as select ''::text as delta_at, $cols from only $table with no data;
\\copy a$n from '$work/a$n'
create temp table p$n (head text, tail text);
\\copy p$n from '$work/p$n'
analyze a$n; analyze p$n;
create temp view b$n as select *, ctid as delta_ctid, true as delta_found,
  ((xmin::text::bigint - $common_xid) % 4294967296 + 4294967296) % 4294967296 >= :delta_new as delta_old from only $table;
SQL
  if [ "$keyed" = keyed ]; then compare_keyed; else compare_bare; fi
  cat <<SQL
copy (select * from d$n) to stdout \\g '$work/rows.$n.copy'
\\o '$work/rows.$n.jsonl'
select json_build_object('table', $literal, 'row', row_to_json(d$n)) from d$n;
\\o
select $n, delta_kind, delta_class, count(*) from d$n group by 2, 3;
SQL
}

# stale: the peer still has the row as it was at the fork; changed: it wrote there itself; absent, same: what they say.
# A row of the peer that this site moved to another key does not stand in the way of the row that came after it.
compare_keyed() {
  moved=true
  if [ "$keyups" -gt 0 ]; then
    moved="not exists (select from p$n moved join a$n went on went.delta_at = moved.tail
    where moved.head = b$n.delta_ctid::text and row($(aliased went))::text <> row($(aliased "b$n"))::text)"
  fi
  cat <<SQL
create temp table d$n as select case when delta_o.delta_found and row($akeys)::text <> row($(aliased delta_o))::text then 'key'
    when delta_o.delta_found or delta_p.head is not null or delta_b.delta_old then 'update' else 'insert' end as delta_kind,
  case when delta_o.delta_found and row($akeys)::text <> row($(aliased delta_o))::text then case when delta_b.delta_found then 'changed' else 'stale' end
    when delta_b.delta_found and row($acols)::text = row($bcols)::text then 'same'
    when delta_o.delta_found or delta_b.delta_old then 'stale'
    when delta_b.delta_found or delta_p.head is not null then 'changed' else 'absent' end as delta_class,
  case when delta_o.delta_found then delta_o.delta_image when delta_b.delta_found then $(image "$bcols") else '' end as delta_there,
  $old_keys, $acols
from a$n delta_a left join p$n delta_p on delta_p.tail = delta_a.delta_at
left join (select $(image "$bcols") as delta_image, delta_b.* from b$n delta_b) delta_o on delta_o.delta_ctid = delta_p.head::tid and delta_o.delta_old
left join (select * from b$n where $moved) delta_b on $same_key;
SQL
  if [ $((deletes + keyups)) -eq 0 ]; then return 0; fi
  if [ "$delta_way" = decoding ]; then
    cat <<SQL
create temp table r$n as select $keys from only $table with no data;
\\copy r$n from '$work/r$n'
insert into d$n select 'delete', case when delta_b.delta_old then 'stale' else 'changed' end, $(image "$bcols"), $bkeys, $bcols from b$n delta_b
where exists (select from r$n delta_a where $same_key) and not exists (select from p$n where head = delta_b.delta_ctid::text);
SQL
    return 0
  fi
  # Where each removed key was found, none is left to look for. Else: rows that are new at the peer, or were changed there
  # and deleted here; nothing tells the two apart, so they are only shown.
  cat <<SQL
create temp table k$n as select $keys from only $table with no data;
\\copy k$n from '$work/k$n'
analyze k$n;
insert into d$n select 'delete', 'stale', $(image "$bcols"), $bkeys, $bcols from b$n delta_b
where delta_b.delta_old and not exists (select from k$n delta_a where $same_key) and not exists (select from p$n where head = delta_b.delta_ctid::text);
select count(*) < $((deletes + keyups)) or '$complete' = 'no' as unsure from d$n where delta_kind in ('delete', 'key') \\gset
\\if :unsure
copy (select $bcols from b$n delta_b where not delta_b.delta_old and not exists (select from k$n delta_a where $same_key)) to stdout \\g '$work/unsure.$n.copy'
\\endif
SQL
}
aliased() { printf '%s' "$akeys" | sed "s/delta_a\\./$1./g"; }

# Without a key a row is known only by all its values: what the peer wrote alike since the fork counts as the same row.
# Decoded, an update is a row that went and one that came; else nothing says which row of the peer it was.
compare_bare() {
  decoded=no
  if [ "$delta_way" = decoding ] && ! grep --quiet "^$n|" "$work/blind"; then decoded=yes; fi
  cat <<SQL
create temp table d$n as select case when head is null then 'insert' else 'update' end as delta_kind,
  case when head is not null then 'changed' when nth <= (select count(*) from b$n delta_b where not delta_b.delta_old and row($bcols)::text = delta_a.whole) then 'same' else 'absent' end as delta_class,
  ''::text as delta_there, $cols
from (select delta_a.*, head, row($acols)::text as whole, row_number() over (partition by row($acols)::text, head is null) as nth
  from a$n delta_a left join p$n on tail = delta_at and '$decoded' = 'no') delta_a;
SQL
  if [ $((deletes + updates)) -eq 0 ]; then return 0; fi
  if [ "$decoded" = yes ]; then
    cat <<SQL
create temp table m$n as select $cols from only $table with no data;
\\copy m$n from '$work/m$n'
insert into d$n select 'delete', case when nth <= (select count(*) from b$n delta_b where delta_b.delta_old and row($bcols)::text = delta_a.whole) then 'stale' else 'changed' end, '', $cols
from (select delta_a.*, row($acols)::text as whole, row_number() over (partition by row($acols)::text) as nth from m$n delta_a) delta_a;
SQL
    return 0
  fi
  unknown='the old ones must be found by eye'
  if [ "$delta_way" = decoding ]; then unknown='the old ones are not in the WAL: its REPLICA IDENTITY is not FULL'; fi
  note "table $table has no key: $updates updates and $deletes deletes were seen; the new rows are in rows.$n.copy, $unknown"
}
