#!/bin/sh
# deltaSql: delta.sql, what a delta does at the new primary. One transaction; psql variables: commit=1 (else it is a dry
# run), on_conflict=skip|old|new. Each act is guarded by what the row there looked like, so that it may run twice.
# Triggers stay silent: what they wrote here is in the delta itself. What they would have checked is therefore checked at the end.

write_sql() {
  {
    sql_head
    each_table sql_table
    sql_constraints
    cat <<'SQL'
\if :commit
commit;
\else
rollback;
\endif
SQL
  } >"$work/delta.sql"
}

sql_head() {
  cat <<SQL
-- Writes that only site $site held: epoch $delta_epoch, timeline $own_tli from $fork_text to $(lsn_of "$own_end").
\\set ON_ERROR_STOP on
\\if :{?commit}
\\else
\\set commit 0
\\endif
\\if :{?on_conflict}
\\else
\\set on_conflict skip
\\endif
select :'on_conflict' = 'old' as old_wins \\gset
begin;
$steady
set search_path = pg_catalog;
set local session_replication_role = replica;
set local lock_timeout = '5s';
create schema if not exists standby;
create table if not exists standby.delta_applied (epoch bigint, fork pg_lsn, until pg_lsn, on_conflict text, applied timestamptz default now());
lock standby.delta_applied;
select count(*) > 0 as before from standby.delta_applied where (epoch, fork, until) = ($delta_epoch, '$fork_text', '$(lsn_of "$own_end")') \\gset
insert into standby.delta_applied values ($delta_epoch, '$fork_text', '$(lsn_of "$own_end")', :'on_conflict');
\\echo before=:before
SQL
}

# rows.N.copy is COPY text already; it ends where a line says so.
sql_table() {
  if [ "$alike" = no ] || [ ! -s "$work/rows.$n.copy" ]; then return 0; fi
  key_columns=''
  if [ "$keyed" = keyed ]; then key_columns="$bkeys_as, "; fi
  cat <<SQL

-- $table
create temp table delta_$n on commit drop as select ''::text as delta_kind, ''::text as delta_class, ''::text as delta_there, $key_columns$bcols from only $table delta_b with no data;
copy delta_$n from stdin;
SQL
  cat "$work/rows.$n.copy"
  printf '%s\n' '\.'
  if [ "$keyed" = keyed ]; then sql_keyed; else sql_bare; fi
}

sql_keyed() {
  # A key that may wait for the commit is no arbiter of a conflict.
  taken='on conflict do nothing'
  if grep --quiet --line-regexp "$oid" "$work/deferrable"; then taken="and not exists (select from only $table delta_b where $same_key)"; fi
  guard="$at_key and delta_a.delta_class = 'stale' and $(image "$bcols") = delta_a.delta_there"
  cat <<SQL
analyze delta_$n;
select count(*) as asked, count(*) filter (where delta_class = 'same') as same from delta_$n \\gset
\\echo asked=:asked
\\echo same=:same
delete from only $table delta_b using delta_$n delta_a where delta_a.delta_kind = 'delete' and $guard;
\\echo deleted=:ROW_COUNT
update delta_$n delta_a set delta_class = 'moving' from only $table delta_b where delta_a.delta_kind = 'key' and $guard;
delete from only $table delta_b using delta_$n delta_a where delta_a.delta_class = 'moving' and $at_key;
SQL
  if [ "$set_list" != - ]; then
    cat <<SQL
update only $table delta_b set $set_list from delta_$n delta_a where delta_a.delta_kind = 'update' and $guard;
\\echo updated=:ROW_COUNT
SQL
  fi
  # A key change that finds its new key taken after all must not have removed the old row: then all is taken back.
  cat <<SQL
insert into $table ($cols) overriding system value select $cols from delta_$n where delta_class = 'moving';
\\echo moved=:ROW_COUNT
insert into $table ($cols) overriding system value select $cols from delta_$n delta_a where delta_kind = 'insert' and delta_class = 'absent' $taken;
\\echo inserted=:ROW_COUNT
\\if :old_wins
create temp table delta_old_$n on commit drop as select delta_a.* from delta_$n delta_a where delta_kind <> 'delete'
  and not exists (select from only $table delta_b where $same_key and row($bcols)::text = row($acols)::text);
delete from only $table delta_b using delta_old_$n delta_a where ($at_key) or ($same_key);
insert into $table ($cols) overriding system value select $cols from delta_old_$n;
\\echo overruled=:ROW_COUNT
\\endif
SQL
}

# Nothing tells two rows without a key apart, so they are inserted once and never again.
sql_bare() {
  cat <<SQL
select count(*) as asked, count(*) filter (where delta_class = 'same') as same from delta_$n \\gset
\\echo asked=:asked
\\echo same=:same
\\if :before
\\else
delete from only $table where ctid in (select delta_b.delta_at from
  (select delta_b.ctid as delta_at, row($bcols)::text as whole, row_number() over (partition by row($bcols)::text) as nth from only $table delta_b) as delta_b
  where nth <= (select count(*) from delta_$n delta_a where delta_kind = 'delete' and delta_class = 'stale' and row($acols)::text = delta_b.whole));
\\echo deleted=:ROW_COUNT
insert into $table ($cols) overriding system value select $cols from delta_$n where delta_kind = 'insert' and delta_class = 'absent';
\\echo inserted=:ROW_COUNT
\\endif
SQL
}

# Whatever a silent trigger would have checked holds at the commit, or all of it is taken back. A foreign key of a partition is checked where
# it was declared, over the whole tree on either side; what may wait for the commit (a deferrable key or exclusion) is a trigger, too.
sql_constraints() {
  oids=$(paste --serial --delimiters=, "$work/alike")
  cat <<SQL

do \$check\$
declare one record; orphans bigint; sample text;
begin
  for one in
    with touched as (select oid from unnest('{$oids}'::oid[]) as oid union select relid::oid from unnest('{$oids}'::oid[]) as leaf (oid), pg_partition_ancestors(leaf.oid) as relid)
    select c.conname, c.conrelid::regclass as child, c.confrelid::regclass as parent,
      (select string_agg(format('child.%I = parent.%I', a.attname, b.attname), ' and ') from unnest(c.conkey, c.confkey) k (x, y)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.x join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.y) as meets,
      (select string_agg(format('child.%I is not null', a.attname), ' and ') from unnest(c.conkey) k (x)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.x) as filled
    from pg_constraint c where c.contype = 'f' and c.conparentid = 0 and c.convalidated
      and (c.conrelid in (select oid from touched) or c.confrelid in (select oid from touched))
  loop
    execute format('select count(*), left(min(child::text), 200) from %s child where %s and not exists (select from %s parent where %s)', one.child, one.filled, one.parent, one.meets) into orphans, sample;
    if orphans > 0 then
      raise exception 'foreign key % of % would have % rows without a row in %, such as %', one.conname, one.child, orphans, one.parent, sample
        using hint = 'write the missing rows of ' || one.parent || ' first, or take these rows out of delta.sql';
    end if;
  end loop;
  for one in
    select c.conname, c.conrelid::regclass as child, c.contype, pg_get_expr(i.indpred, i.indrelid) as filter,
      (select string_agg(format('(%s) as e%s', pg_get_indexdef(c.conindid, n, false), n), ', ') from generate_series(1, i.indnkeyatts::int) as n) as columns,
      (select string_agg(format('a.e%s %s b.e%s', n, coalesce((select format('operator(%I.%s)', s.nspname, o.oprname) from pg_operator o join pg_namespace s on s.oid = o.oprnamespace
          where o.oid = c.conexclop[n]), '='), n), ' and ') from generate_series(1, i.indnkeyatts::int) as n) as meets
    from pg_constraint c join pg_index i on i.indexrelid = c.conindid
    where c.contype in ('p', 'u', 'x') and c.condeferrable and c.conrelid = any('{$oids}'::oid[])
  loop
    execute format('with each_row as materialized (select row_number() over () as nth, %s from only %s%s) select count(*), left(min(a::text || '' and '' || b::text), 200) from each_row a join each_row b on a.nth < b.nth and %s',
      one.columns, one.child, coalesce(' where ' || one.filter, ''), one.meets) into orphans, sample;
    if orphans > 0 then
      raise exception 'constraint % of % would be broken by % pairs of rows, such as %', one.conname, one.child, orphans, sample
        using hint = 'look at both rows of each pair, and take one of them out of delta.sql';
    end if;
  end loop;
end \$check\$;
SQL
}
