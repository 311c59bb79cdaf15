#!/bin/sh
# deltaScan: first half of the verb delta: where the two histories part, and what this site's WAL says of the time since.
# Read-only but for the quarantine of returned.sh. `work` is the folder of the export that is being made.

# Sets `diverged`: yes, with the server running and following nobody; or no.
find_divergence() {
  diverged=no
  ask_peer
  find_end
  find_parting
  # Who only holds more than its peer is no source of a delta: rejoin says what that is.
  case $parted$known_by in
  no | yesend)
    leave_quarantine
    return 0
    ;;
  *) ;;
  esac
  if [ -z "$fork_text" ]; then later "site $peer is on timeline $peer_tli, and no point is known up to which timeline $own_tli of this site is the same" "compare the two by hand; or give up what is here: pulumi config set discardDelta $delta_epoch && pulumi up"; fi
  diverged=yes
  case $running in
  yes) follow_nobody ;;
  no)
    quarantine
    ask_self
    ;;
  *) ;;
  esac
}

# commits: one line per transaction that was committed after the fork: TIME XID SUBXID...
# open: the names of those that were prepared after it and never decided; a server in recovery does not list them.
# Danger: WAL that ends early would hide writes, so the dump must reach from the fork to the end of the replay.
read_commits() {
  waldump "$fork_text" '' | awk '
    { at = index($0, ", lsn: "); lsn = substr($0, at + 7); sub(/,.*/, "", lsn); last = lsn; if (first == "") first = lsn }
    $2 == "Transaction" && match($0, /desc: PREPARE gid /) {
      gid = substr($0, RSTART + 18); sub(/: [0-9-]+ [0-9:.]+ UTC.*/, "", gid)
      match($0, /tx: +[0-9]+/); xid = substr($0, RSTART + 3, RLENGTH - 3); sub(/^ +/, "", xid); waiting[xid] = gid; next }
    $2 == "Transaction" && match($0, /desc: (COMMIT|ABORT)_PREPARED [0-9]+:/) { xid = substr($0, RSTART + 6, RLENGTH - 7); sub(/.* /, "", xid); delete waiting[xid] }
    $2 == "Transaction" && match($0, /desc: COMMIT(_PREPARED [0-9]+:)? /) {
      kind = substr($0, RSTART, RLENGTH); text = substr($0, RSTART + RLENGTH)
      if (kind ~ /PREPARED/) { xid = kind; gsub(/[^0-9]/, "", xid) }
      else { match($0, /tx: +[0-9]+/); xid = substr($0, RSTART + 3, RLENGTH - 3); sub(/^ +/, "", xid) }
      split(text, part, ";"); time = part[1]; sub(/ UTC.*/, "Z", time); sub(/ /, "T", time)
      subs = ""
      if (match(text, /subxacts:[ 0-9]+/)) subs = substr(text, RSTART + 9, RLENGTH - 9)
      print time, xid, subs > commits
    }
    END { for (xid in waiting) print waiting[xid] > open; print first, last }' commits="$work/commits" open="$work/open" >"$work/range"
  read -r first_lsn last_lsn <"$work/range" || :
  touch "$work/commits" "$work/open"
  number_of "${first_lsn:-0/0}"
  if [ "$number" -lt "$fork" ] || [ "$number" -gt $((fork + 40)) ]; then later "the WAL of timeline $own_tli from $fork_text on is not in $data/pg_wal any more" "bring its files back from the archive into $data/pg_wal, then run the update again; what this site wrote cannot be told otherwise"; fi
  number_of "$last_lsn"
  record_end "$number" "$own_tli"
  if [ "$end" -ne "$own_end" ]; then later "the WAL here reads up to $(lsn_of "$end"), the server replayed up to $(lsn_of "$own_end")" "look at $work/waldump.txt and at the disk"; fi
  awk '{ for (i = 2; i <= NF; i++) print $i }' "$work/commits" >"$work/xids"
}

# Danger: transaction numbers wrap, and no awk may count with them: beyond 2^31 mawk prints 3.00001e+09. So awk hands them on as text,
# and the distance of two is taken here: from -2^31 to 2^31 - 1.
distance_of() { # NUMBER FROM
  distance=$((($1 - $2) & 0xFFFFFFFF))
  if [ "$distance" -ge 2147483648 ]; then distance=$((distance - 4294967296)); fi
}

# Sets `oldest_xid`: the first of these transactions; empty where there is none.
find_oldest() {
  oldest_xid=''
  while read -r xid; do
    if [ -z "$oldest_xid" ]; then oldest_xid=$xid; fi
    distance_of "$xid" "$oldest_xid"
    if [ "$distance" -lt 0 ]; then oldest_xid=$xid; fi
  done <"$work/xids"
}

# The newest list of running transactions before the fork that is older than all of these transactions: from there on the
# WAL holds all that they wrote. Sets scan_from and common_xid, the first transaction number that the peer gave out anew.
find_start() {
  scan_from='' common_from='' common_next=''
  find_oldest
  segment=$((fork / wal_segment * wal_segment)) until=$fork_text oldest=$fork
  while [ -z "$scan_from" ] && [ "$segment" -ge 0 ]; do
    if ! find_own_file "$segment"; then break; fi
    oldest=$segment newest=''
    waldump "$(lsn_of "$segment")" "$until" --rmgr=Standby | sed -n 's/.*, lsn: \([^,]*\),.*RUNNING_XACTS nextXid \([0-9]*\) .*/\1 \2/p' >"$work/start"
    while read -r lsn next_xid; do
      if [ -n "$oldest_xid" ]; then distance_of "$oldest_xid" "$next_xid"; else distance=0; fi
      if [ "$distance" -ge 0 ]; then scan_from=$lsn; fi
      newest=$lsn newest_next=$next_xid
    done <"$work/start"
    if [ -z "$common_from" ] && [ -n "$newest" ]; then common_from=$newest common_next=$newest_next; fi
    until=$(lsn_of "$segment")
    segment=$((segment - wal_segment))
  done
  complete=yes
  if [ -z "$scan_from" ]; then complete=no scan_from=$(lsn_of "$oldest"); fi
  if [ -z "$common_from" ]; then common_from=$(lsn_of "$oldest") common_next=3; fi
  find_common_xid
}

# What was given out between that list and the fork counts as well, aborted ones and sub-transactions too.
find_common_xid() {
  common_xid=$common_next
  if [ "$common_from" = "$fork_text" ]; then return 0; fi
  waldump "$common_from" "$fork_text" | awk '
    match($0, /tx: +[0-9]+/) { x = substr($0, RSTART + 3, RLENGTH - 3); sub(/^ +/, "", x); if (x != last) print x; last = x }
    match($0, /subxacts: ?[0-9 ]+/) { n = split(substr($0, RSTART + 9, RLENGTH - 9), sub_xid, " "); for (i = 1; i <= n; i++) print sub_xid[i] }' | sort -u >"$work/given"
  while read -r xid; do
    distance_of "$xid" "$common_xid"
    # Below 3 are the marks of the system's own.
    if [ "$xid" -gt 2 ] && [ "$distance" -ge 0 ]; then common_xid=$(((xid + 1) & 0xFFFFFFFF)); fi
  done <"$work/given"
}

# What the WAL says of these transactions, by the files named in `map` (FILE KIND OID):
#   t OID INSERTS UPDATES KEYUPDATES DELETES   changes of one table; deletes of rows that were there at the fork
#   p OID HEAD TAIL                            a row of the fork (its place then) and where its newest version lies now
#   c NAME COUNT | q OID | l | m OID | g FILE | o DATABASE | r OID   catalog, sequence, large objects, materialised view,
#                                                                    a file that is gone, another database, rewritten
#   x TRANSACTIONS FIRST LAST
read_records() {
  waldump "$scan_from" '' | awk -v fork="$(printf '%08X%08X' $((fork >> 32)) $((fork & 0xFFFFFFFF)))" -v database="$database_oid" '
    function position(text,  half) { split(text, half, "/"); return substr("00000000" half[1], length(half[1]) + 1) half[2] }
    function file_of(n,  text) { text = $0; if (!match(text, "blkref #" n ": rel [0-9]+/[0-9]+/[0-9]+ ")) return ""
      text = substr(text, RSTART, RLENGTH); sub(/.*rel /, "", text); sub(/ $/, "", text); return text }
    function block_of(n,  text) { text = $0; if (!match(text, "blkref #" n ": rel [0-9/]+ (fork [a-z]+ )?blk [0-9]+")) return ""
      text = substr(text, RSTART, RLENGTH); sub(/.*blk /, "", text); return text }
    FILENAME == commits { line[++lines] = $0; for (i = 2; i <= NF; i++) wanted[$i] = lines; next }
    FILENAME == map { kind[$1] = $2; oid[$1] = $3; next }
    $2 !~ /^(Heap2?|Sequence|Storage)$/ { next }
    { match($0, /tx: +[0-9]+/); xid = substr($0, RSTART + 3, RLENGTH - 3); sub(/^ +/, "", xid)
      desc = substr($0, index($0, "desc: ") + 6); n = split(desc, word, " "); op = word[1] }
    $2 == "Sequence" {
      lsn = substr($0, index($0, ", lsn: ") + 7); sub(/,.*/, "", lsn)
      f = file_of(0); if (position(lsn) >= fork && kind[f] == "s") { sequence[oid[f]] = 1; if (xid in wanted) touched[wanted[xid]] = 1 }
      next }
    !(xid in wanted) { next }
    $2 == "Storage" { if (op == "CREATE") { f = word[2]; sub(/.*\//, "", f); made[f] = 1 }; next }
    op !~ /^(INSERT|MULTI_INSERT|DELETE|UPDATE|HOT_UPDATE)(\+INIT)?$/ { next }
    { f = file_of(0); if (f == "") next
      split(f, piece, "/")
      if (piece[2] != database && piece[2] != 0) { other[piece[2]] = 1; touched[wanted[xid]] = 1; next }
      if (!(f in kind)) { gone[f]++; touched[wanted[xid]] = 1; next }
      k = kind[f]; id = oid[f]
      if (k == "i") next
      touched[wanted[xid]] = 1
      if (k == "c") { catalog[id]++; next }
      if (k == "l") { large = 1; next }
      if (k == "m") { view[id] = 1; next }
      table[id] = 1; if (piece[3] in made) rewritten[id] = 1
      page = f " " block_of(0); old = ""; new = ""
      for (i = 2; i <= n; i++) {
        if (word[i] == "new_off:" || (word[i] ~ /^off:?$/ && word[i - 1] == "new")) new = word[i + 1]
        else if (word[i] ~ /^(old_)?off:?$/ && old == "") old = word[i + 1] }
      sub(/,$/, "", old); sub(/,$/, "", new) }
    op ~ /^MULTI_INSERT/ { inserts[id]++; if (op ~ /INIT/) fresh[page] = 1; next }
    op ~ /^INSERT/ { inserts[id]++; p = page "," old; delete head[p]; born[p] = 1; next }
    op == "DELETE" { p = page "," old
      if ((p in born) || (page in fresh)) delete born[p]; else { deletes[id]++; delete head[p] }
      next }
    { updates[id]++; if (desc ~ /KEYS_UPDATED/) keys[id]++
      from_page = page; b = block_of(1); if (b != "") from_page = f " " b
      p = from_page "," old; to = page "," new; delete head[to]; delete born[to]
      if ((p in born) || (from_page in fresh)) { delete born[p]; born[to] = 1 }
      else { head[to] = (p in head) ? head[p] : p; delete head[p] } }
    END {
      for (id in table) print "t", id, inserts[id] + 0, updates[id] + 0, keys[id] + 0, deletes[id] + 0
      for (to in head) { split(to, t, " "); split(head[to], h, " "); print "p", oid[t[1]], "(" h[2] ")", "(" t[2] ")" }
      for (c in catalog) print "c", c, catalog[c]
      for (q in sequence) print "q", q
      if (large) print "l"
      for (v in view) print "m", v
      for (g in gone) print "g", g, gone[g]
      for (o in other) print "o", o
      for (r in rewritten) print "r", r
      for (i = 1; i <= lines; i++) if (i in touched) { split(line[i], w, " "); count++; if (since == "" || w[1] < since) since = w[1]; if (w[1] > latest) latest = w[1] }
      print "x", count + 0, since == "" ? "-" : since, latest == "" ? "-" : latest
    }' commits="$work/commits" map="$work/map" "$work/commits" "$work/map" - >"$work/changes"
}
