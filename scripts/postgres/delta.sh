#!/bin/sh
# delta: export the acknowledged writes that only this returned site holds, before anything rewinds it. value=export|status|show
# The site is in recovery, follows nobody and is only read. The result lies in STATE/delta/EPOCH, outside the data:
#   delta.sql (one transaction, to be applied at the peer), rows.N.copy (COPY text), rows.jsonl (for eyes), summary.
# Marker STATE/delta.done: EPOCH FORK END SHA256, written last. Danger: without it nothing may replace this site's data.
# What stands in front of this file: DELTA in sites/guardProgram.ts.

main() {
  read_input
  if [ "$value" = status ]; then
    # Where a delta is to be applied: at whichever site serves by now.
    primary=no
    if postmaster && [ "$(echo 'select pg_is_in_recovery()' | sql)" = f ]; then primary=yes; fi
    fact primary "$primary"
    report_marker
    return 0
  fi
  if [ "$value" = show ]; then
    report_marker
    if [ -n "$recalled" ]; then
      cat "$folder/summary" >&2
      head --lines=20 "$folder/rows.jsonl" >&2
    fi
    return 0
  fi
  take_lock
  if [ -n "$epoch" ]; then adopt; fi
  # Its name: the plan's epoch, which before the witness is not announced to any site.
  delta_epoch=${delta_epoch:-${epoch:-0}}
  has_database || :
  after_alone
  if ! has_database; then
    fact delta none
    return 0
  fi
  find_divergence
  if [ "$diverged" = no ]; then
    fact delta none
    return 0
  fi
  recall delta.done
  case $recalled in
  *" $fork_text $(lsn_of "$own_end") "*) ;;
  *) export_delta ;;
  esac
  report_marker
}

report_marker() {
  recall delta.done
  if [ -z "$recalled" ]; then
    fact delta none
    return 0
  fi
  folder=$state/delta/${recalled%% *}
  fact delta "$recalled"
  fact delta_folder "$folder"
  while IFS='=' read -r key text; do
    case $key in by_hand.* | table.*) ;; *) fact "delta_$key" "$text" ;; esac
  done <"$folder/summary"
}

note() {
  if ! grep --quiet --line-regexp --fixed-strings --regexp="$1" "$work/by_hand"; then printf '%s\n' "$1" >>"$work/by_hand"; fi
}

export_delta() {
  work=$state/delta/.making
  rm -rf "$work"
  mkdir -p "$work"
  give_to_owner "$state/delta" "$work"
  : >"$work/by_hand"
  : >"$work/unread"
  choose_way
  say "reads the writes that only this site holds: timeline $own_tli from $fork_text to $(lsn_of "$own_end")"
  read_commits
  find_start
  read_map
  read_records
  checkpoint delta-scanned
  list_tables
  note_oddities
  read_rows
  if [ "$delta_way" = decoding ]; then decode; fi
  compare_rows
  checkpoint delta-compared
  write_sql
  write_summary
  put_away
}

# What cannot be carried over as rows is named, with what was seen.
note_oddities() {
  catalogs=''
  while read -r what one two _; do
    case $what in
    c) catalogs="$catalogs $one" ;;
    q) note_sequence "$one" ;;
    l) note "large objects were written: $(echo "select coalesce(string_agg(distinct loid::text, ', '), 'none is left') from pg_largeobject where xmin::text::bigint = any('{$(paste --serial --delimiters=, "$work/xids")}')" | sql)" ;;
    m) note "materialised view $(name_of "$one") was refreshed" ;;
    g) note "file $one is gone ($two records): its table was dropped, truncated or rewritten afterwards" ;;
    o) note "database with oid $one was written too: only $database is exported" ;;
    r) if grep --quiet --line-regexp "$one" "$work/alike"; then note "table $(name_of "$one") was truncated or rewritten: its new rows are exported, what it held before must be compared by eye"; fi ;;
    *) ;;
    esac
  done <"$work/changes"
  if [ -n "$catalogs" ]; then note "definitions were changed (in$catalogs):$(changed_definitions); repeat that at site $peer"; fi
  echo "select format('unlogged table %I.%I: crash recovery emptied it, its rows are nowhere in the WAL', n.nspname, c.relname) from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where c.relpersistence = 'u' and c.relkind = 'r' order by 1" | sql >"$work/unlogged"
  while IFS= read -r gid; do note "transaction $gid is prepared here and not decided: it is in no delta"; done <"$work/open"
  echo "select format('transaction %L is prepared at site $peer; if it was committed here: commit prepared %L there', gid, gid) from pg_prepared_xacts where database = current_database() and transaction::text = any('{$(paste --serial --delimiters=, "$work/xids")}')" | peer_rows >>"$work/unlogged"
  while IFS= read -r line; do note "$line"; done <"$work/unlogged"
}
changed_definitions() {
  sql <<SQL | tr '\n' ' '
with wanted as (select '{$(paste --serial --delimiters=, "$work/xids")}'::text[] as xids)
select format(' %s %I.%I', case relkind when 'r' then 'table' when 'i' then 'index' when 'S' then 'sequence' when 'v' then 'view' else 'relation' end, nspname, relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace, wanted where c.xmin::text = any(xids) and nspname <> 'pg_toast'
union all select format(' function %s', p.oid::regprocedure) from pg_proc p, wanted where p.xmin::text = any(xids)
union all select format(' role %I', rolname) from pg_authid i, wanted where i.xmin::text = any(xids)
order by 1 limit 50;
SQL
}
name_of() { echo "select $1::regclass" | sql; }
note_sequence() {
  sequence=$(echo "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1" | sql)
  here=$(echo "select last_value from $sequence" | sql)
  step=$(echo "select seqincrement from pg_sequence where seqrelid = $1" | sql)
  there=$(echo "select last_value from $sequence" | peer_rows) || there='not there'
  todo='; set it beyond both before new rows are written'
  # After an accepted loss it has leapt.
  case $there in *[!0-9-]*) ;; *) if [ "$there" -ge "$here" ] && [ "$step" -gt 0 ]; then todo=', which is beyond it'; fi ;; esac
  note "sequence $sequence: at $here here, at $there at site $peer$todo"
}

# Rows of this kind and class; without a class all that are not the same there.
of() { # KIND CLASS
  sum=0
  while IFS='|' read -r _ count_kind count_class count; do
    if [ -n "$1" ] && [ "$count_kind" != "$1" ]; then continue; fi
    if [ "${2:-not same}" = 'not same' ]; then
      if [ "$count_class" = same ]; then continue; fi
    elif [ "$count_class" != "$2" ]; then continue; fi
    sum=$((sum + count))
  done <"$work/counts"
  echo "$sum"
}
write_summary() {
  read -r _ transactions since latest <<SPAN
$(grep '^x ' "$work/changes")
SPAN
  sha256=$(sha256sum "$work/delta.sql")
  sha256=${sha256%% *}
  {
    printf 'way=%s\n' "$delta_way"
    printf 'epoch=%s\nsite=%s\ntimeline=%s\nfork=%s\nend=%s\n' "$delta_epoch" "$site" "$own_tli" "$fork_text" "$(lsn_of "$own_end")"
    printf 'transactions=%s\nfirst_commit=%s\nlast_commit=%s\n' "$transactions" "$since" "$latest"
    printf 'tables=%s\nrows=%s\n' "$(cut --delimiter='|' --fields=1 "$work/counts" | sort --unique | wc --lines)" "$(of '' '')"
    printf 'inserts=%s\nupdates=%s\nkey_changes=%s\ndeletes=%s\n' "$(of insert '')" "$(of update '')" "$(of key '')" "$(of delete '')"
    printf 'conflicts=%s\nsame=%s\nunsure=%s\n' "$(of '' changed)" "$(of '' same)" "$(find "$work" -name 'unsure.*.copy' -exec cat {} + | wc --lines)"
    printf 'by_hand=%s\n' "$(wc --lines <"$work/by_hand")"
    awk '{ print "by_hand." NR "=" $0 }' "$work/by_hand"
    awk -F '\t' '{ print "table." $1 "=" $3 }' "$work/tables"
    printf 'sha256=%s\n' "$sha256"
  } >"$work/summary"
}

# Lasting first, then in place under its name, then the marker. An older export of this epoch is kept beside it.
put_away() {
  find "$work" -name 'rows.*.jsonl' -exec cat {} + >"$work/rows.jsonl"
  find "$work" \( -name 'rows.*.jsonl' -o -name 'unsure.*.copy' -size 0 -o -name '[kmpr][0-9]*' \) -delete
  (cd "$work" && rm -f map range start tables signature.* alike unlogged open blind deferrable given unread said compared)
  if [ -n "$switch_user" ]; then chown -R "$switch_user:" "$work"; fi
  find "$work" -type f -exec sync {} +
  folder=$state/delta/$delta_epoch
  if [ -e "$folder" ]; then mv "$folder" "$folder.$(date +%s)"; fi
  checkpoint delta-before-rename
  mv "$work" "$folder"
  sync "$state/delta"
  checkpoint delta-before-marker
  store delta.done "$delta_epoch $fork_text $(lsn_of "$own_end") $sha256"
}
