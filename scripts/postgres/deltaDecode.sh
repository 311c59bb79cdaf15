#!/bin/sh
# deltaDecode: the other way of the delta: what the heap no longer shows is decoded from the WAL, by a logical slot that
# was kept here. It tells which keys were removed, and under REPLICA IDENTITY FULL which whole rows.
# PostgreSQL 15 decodes nothing in recovery, so a copy of the data folder is started as a server of its own: on a socket in a
# folder of the owner's, with a configuration of its own, without workers, archive or listener. Danger: this site itself
# never loses its signal for that; the copy lies under another name and is removed.

# Sets `delta_way`, before anything is touched: decoding, or heap, and says why.
choose_way() {
  delta_way=heap copy=$data.decode
  end_copy
  if [ -z "$delta_slot" ]; then return 0; fi
  kept=$(
    sql <<SQL
select count(*) from pg_replication_slots where slot_name = '$delta_slot' and plugin = 'test_decoding' and database = current_database()
  and confirmed_flush_lsn <= '$fork_text' and coalesce(wal_status, 'lost') <> 'lost' and current_setting('wal_level') = 'logical';
SQL
  ) || kept=0
  size=$(du --summarize --block-size=1 "$data" | cut --fields=1)
  free=$(df --output=avail --block-size=1 "${data%/*}" | tail --lines=1)
  if [ "$kept" != 1 ]; then
    say "slot $delta_slot does not reach back to $fork_text: the rows are read from the heap"
  elif [ -L "$data/pg_wal" ] || [ -n "$(find "$data/pg_tblspc" -mindepth 1)" ]; then
    say "pg_wal or a tablespace lies elsewhere, a copy would write there: the rows are read from the heap"
  elif [ "$free" -lt $((size * 11 / 10)) ]; then
    say "$((free / 1048576)) MB are free, a copy needs $((size / 1048576)) MB: the rows are read from the heap"
  else
    delta_way=decoding
  fi
}

# Stopped for the copy alone, then as it was.
make_copy() {
  say "decodes on a copy of $((size / 1048576)) MB in $copy"
  stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"
  as_owner cp --archive --reflink=auto "$data" "$copy" || later "the copy in $copy failed" "look at the lines above, then run the update again"
  checkpoint delta-copied
  if [ "$running" = yes ]; then start_postgres; else quarantine; fi
  as_owner mkdir --mode=700 "$copy.run"
  rm -f "$copy/standby.signal" "$copy/postmaster.pid"
  : >"$copy/postgresql.auto.conf"
  echo 'local all all trust' >"$copy/pg_hba.conf"
  printf '%s\n' "unix_socket_directories = '$copy.run'" "listen_addresses = ''" "port = $port" 'wal_level = logical' 'fsync = off' 'autovacuum = off' \
    'max_worker_processes = 0' 'max_logical_replication_workers = 0' 'max_replication_slots = 1000' 'max_prepared_transactions = 1000' \
    "standby.state_directory = ''" >"$copy/decode.conf"
  decode_options >>"$copy/decode.conf"
  # In Debian's layout PGDATA holds no pg_hba.conf: root has just made it.
  give_to_owner "$copy/decode.conf" "$copy/pg_hba.conf" "$copy/postgresql.auto.conf"
  (in_copy && start_postgres) || later "the copy does not start" "read $state/log/server.log; without deltaSlot the rows are read from the heap"
  checkpoint delta-copy-started
}
in_copy() { apart=yes data=$copy data_path=$(cd -P "$copy" && pwd) && socket=$copy.run config=$copy/decode.conf; }
end_copy() {
  if [ -d "$copy" ]; then (in_copy && stop_postgres QUIT "$stop_bound"); fi
  as_owner rm -rf "$copy" "$copy.run"
}

# For each table r$n, the keys that were there at the fork and are gone; or, without a key, m$n, the rows. `blind`: tables
# of which some old rows are not in the WAL.
decode() {
  make_copy
  {
    echo "$steady"
    decoder
    each_table decode_table
  } | (in_copy && sql) >"$work/blind" || later "the WAL could not be decoded" "read the lines above; without deltaSlot the rows are read from the heap"
  end_copy
}

# A line of test_decoding: `table NAME: KIND: COLUMN[TYPE]:VALUE ...`, in an update perhaps `old-key: ... new-tuple: ...`.
# pieces() takes columns from the front of a text until something else comes.
decoder() {
  cat <<SQL
create temp table delta_lines as select n, data from pg_logical_slot_peek_changes('$delta_slot', null, null, 'skip-empty-xacts', 'on')
  with ordinality as line (lsn, xid, data, n) where xid::text::bigint = any('{$(paste --serial --delimiters=, "$work/xids")}'::bigint[]) and data like 'table %';
SQL
  cat <<'SQL'
create function pg_temp.pieces(inout line text, out pairs jsonb) language plpgsql as $$
declare piece text[];
begin
  pairs := '{}';
  loop
    piece := regexp_match(line, '^ ?((?:"(?:[^"]|"")+"|[^" \[])+)\[(?:[^]["]|"(?:[^"]|"")*"|\[\])+\]:(B?''(?:[^'']|'''')*''|[^ ]+)(.*)$');
    exit when piece is null;
    line := piece[3];
    if piece[2] = 'unchanged-toast-datum' then continue; end if;
    pairs := pairs || jsonb_build_object(piece[1], case when piece[2] = 'null' then null
      when piece[2] ~ '''$' then replace(substring(piece[2] from '''(.*)''$'), '''''', '''') else piece[2] end);
  end loop;
end $$;
create function pg_temp.keep(target text, n bigint, pairs jsonb) returns void language plpgsql as $$
begin
  execute (select format('insert into pg_temp.%I (delta_n, %s) values (%s, %s)', target, string_agg(key, ', '), n, string_agg(quote_nullable(value), ', ')) from jsonb_each_text(pairs)
    where key in (select quote_ident(attname) from pg_attribute where attrelid = format('pg_temp.%I', target)::regclass));
end $$;
SQL
}

decode_table() {
  if [ "$unread" = yes ]; then return 0; fi
  missing_key="not exists (select from only $table delta_b where $same_key)"
  if [ "$keyed" = keyed ]; then
    owned "$work/r$n"
    result="copy (select distinct $keys from o$n delta_a where $missing_key and not exists (select from n$n delta_b where $same_key and delta_b.delta_n < delta_a.delta_n)) to stdout \\g '$work/r$n'"
  else
    owned "$work/m$n"
    # What was removed, without the rows that these transactions wrote themselves.
    result="copy (select $cols from (select $cols, row_number() over (partition by row($acols)::text) as delta_nth,
      (select count(*) from n$n delta_b where row($bcols)::text = row($acols)::text) -
      (select count(*) from only $table delta_b where row($bcols)::text = row($acols)::text and delta_b.xmin::text::bigint = any('{${xid_list%,}}'::bigint[])) as delta_own
      from o$n delta_a) as removed where delta_nth > delta_own) to stdout \\g '$work/m$n'"
  fi
  cat <<SQL
create temp table o$n as select 0::bigint as delta_n, $cols from only $table with no data;
create temp table n$n as select 0::bigint as delta_n, $cols from only $table with no data;
do \$\$ declare one record; kind text; was record; became record; blind bigint := 0;
begin
  for one in select n, substr(data, length(head) + 1) as rest from delta_lines, (values ('table ' || $literal || ': ')) as h (head) where starts_with(data, head) order by n loop
    kind := split_part(one.rest, ':', 1);
    was := pg_temp.pieces(regexp_replace(substr(one.rest, length(kind) + 3), '^old-key: ', ''));
    became := was;
    if kind = 'UPDATE' then
      became := pg_temp.pieces(regexp_replace(was.line, '^ new-tuple: ', ''));
      -- Without an old part what was read is the new row; its key did not change.
      if was.line = '' then became := was; was.pairs := case when '$keyed' = 'bare' then '{}'::jsonb end; end if;
      became.pairs := coalesce(was.pairs, '{}') || became.pairs;
    end if;
    if kind in ('UPDATE', 'DELETE') and was.pairs = '{}' then blind := blind + 1;
    elsif kind in ('UPDATE', 'DELETE') and was.pairs is not null then perform pg_temp.keep('o$n', one.n, was.pairs); end if;
    if kind in ('UPDATE', 'INSERT') then perform pg_temp.keep('n$n', one.n, became.pairs); end if;
  end loop;
  perform set_config('standby.blind', blind::text, false);
end \$\$;
$result
select '$n', current_setting('standby.blind') where current_setting('standby.blind') <> '0';
SQL
}
