#!/bin/sh
# parting: where the WAL of this site and its peer's part. Functions only; of delta and rejoin, in front of returned.
# Danger: two servers can hold other bytes at the same positions under the same timeline number: both were promoted, or a disk came
# back older. Whoever lets one follow the other loses what only it has. So histories are compared line by line, then bytes.
# shellcheck disable=SC2154,SC2034 # lib.sh and returned.sh set them; delta and rejoin read them

# Sets `parted`, and of a site that has: `fork` as a number and `fork_text`, which is empty where no common point is known; and
# `known_by`: history, bytes, or end: on one line with the peer, it holds more than that one.
find_parting() {
  parted=no known_by='' fork_text='' fork=0
  find_timeline
  find_branches
  if [ "$streams" = t ]; then
    ends_beyond
  else
    compare_histories
  fi
  if [ "$parted" = no ]; then compare_tails; fi
}

# The control file names the timeline before until the next restart point. What was replayed since lies in files of the newer one, which a
# server that has gone past its fork never gets: it is sent its old timeline only.
find_timeline() {
  if [ "$streams" = t ]; then
    own_tli=$peer_tli
    return 0
  fi
  for history in "$data"/pg_wal/*.history; do
    if [ ! -r "$history" ]; then continue; fi
    read_history "$history"
    if [ "$history_tli" -gt "$own_tli" ] && [ "$number" -lt "$own_end" ] && [ -e "$(wal_file "$history_tli" $((own_end - 1)))" ]; then own_tli=$history_tli; fi
  done
}

# own_branches: TIMELINE BEGIN END of each timeline that this site has been on, the oldest first.
find_branches() {
  own_branches='' begin=0
  own_history=$(printf '%s/pg_wal/%08X.history' "$data" "$own_tli")
  if [ -r "$own_history" ]; then
    while read -r line_tli line_lsn _; do
      case $line_tli in '' | *[!0-9]*) continue ;; *) ;; esac
      number_of "$line_lsn"
      own_branches="$own_branches$line_tli $begin $number
"
      begin=$number
    done <"$own_history"
  fi
  own_branches="$own_branches$own_tli $begin $own_end"
}

# Its receiver may have been faster than the first look at the peer.
ends_beyond() {
  number_of "$peer_lsn"
  if [ "$own_end" -le "$number" ]; then return 0; fi
  peer_lsn=$(
    peer_sql <<SQL
select pg_current_wal_lsn();
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port" "run the update again"
  number_of "$peer_lsn"
  if [ "$own_end" -le "$number" ]; then return 0; fi
  parted=yes known_by=end fork=$number fork_text=$peer_lsn
}

compare_histories() {
  while read -r branch_tli begin finish; do
    their_end=''
    while read -r line_tli line_lsn; do
      if [ "$line_tli" = "$branch_tli" ]; then their_end=$line_lsn; fi
    done <<HISTORY
$peer_history$peer_tli $peer_lsn
HISTORY
    # The peer was never on this timeline: it left the one before together with this site, or nothing is known.
    if [ -z "$their_end" ]; then
      parted=yes known_by=history fork=$begin
      if [ "$begin" -gt 0 ]; then fork_text=$(lsn_of "$begin"); fi
      return 0
    fi
    number_of "$their_end"
    if [ "$branch_tli" = "$own_tli" ]; then
      if [ "$own_end" -le "$number" ]; then return 0; fi
      parted=yes known_by=history fork=$number fork_text=$their_end
      if [ "$own_tli" = "$peer_tli" ]; then known_by=end; fi
      return 0
    fi
    if [ "$finish" -ne "$number" ]; then
      parted=yes known_by=history fork=$finish
      if [ "$number" -lt "$fork" ]; then fork=$number; fi
      fork_text=$(lsn_of "$fork")
      return 0
    fi
  done <<BRANCHES
$own_branches
BRANCHES
}

# A piece of at most this many bytes is hashed at once.
PIECE=16777216

# The last bytes here are the peer's. What is gone at one of the two cannot be compared; there the histories have to do.
compare_tails() {
  piece_from=$(((own_end - 1) / wal_segment * wal_segment))
  if [ $((own_end - PIECE)) -gt "$piece_from" ]; then piece_from=$((own_end - PIECE)); fi
  compare_piece "$piece_from" "$own_end"
  # A segment that has only begun says little: page headers are alike.
  if [ "$piece" = same ] && [ $((own_end - piece_from)) -lt 8192 ] && [ "$piece_from" -gt 0 ]; then
    before=$((piece_from - wal_segment))
    if [ $((piece_from - PIECE)) -gt "$before" ]; then before=$((piece_from - PIECE)); fi
    compare_piece "$before" "$piece_from"
  fi
  if [ "$piece" = other ]; then
    parted=yes known_by=bytes
    find_difference
  elif [ "$piece" = same ] && ! is_continued; then
    # The peer's bytes up to here were sent by this site, over its own: where the two parted they do not tell any more.
    parted=yes known_by=bytes
  fi
}

# The next record at the peer names the last one here as the one before it. Nothing is known where there is none yet.
is_continued() {
  next=$own_end
  if [ $((next % wal_segment)) -eq 0 ]; then next=$((next + 40)); elif [ $((next % wal_page)) -eq 0 ]; then next=$((next + 24)); fi
  number_of "$peer_lsn"
  if [ $((next + 24)) -gt "$number" ]; then return 0; fi
  heads=$(
    peer_sql <<SQL
select string_agg(encode($(their_bytes "$next" 16), 'hex'), ' ') from generate_series(1, $peer_tli) as tli;
SQL
  ) || later "cannot read the WAL of site $peer as $replication_user" "run the update again"
  last=$(last_here)
  if [ -z "$heads" ] || [ -z "$last" ]; then return 0; fi
  number_of "${last%% *}"
  # Eight bytes behind length and transaction number, the lowest first.
  wanted='' left=$number
  for _ in 1 2 3 4 5 6 7 8; do
    wanted=$wanted$(printf '%02x' $((left & 255)))
    left=$((left >> 8))
  done
  for head in $heads; do
    case $head in ????????????????"$wanted") return 0 ;; *) ;; esac
  done
  return 1
}

# As SQL at the peer: these bytes of its WAL on timeline `tli`; null without such a file.
their_bytes() { # FROM BYTES
  printf "pg_read_binary_file('pg_wal/' || lpad(upper(to_hex(tli)), 8, '0') || '%08X%08X', %s, %s, true)" \
    $(($1 >> 32)) $(($1 % 0x100000000 / wal_segment)) $(($1 % wal_segment)) "$2"
}

# Sets `piece`: same, other, or gone at one of the two. Both ends lie in one segment. A file of a newer timeline begins with a copy.
compare_piece() { # FROM TO
  piece=gone
  if ! find_own_file "$1"; then return 0; fi
  their_hashes=$(
    peer_sql <<SQL
select string_agg(encode(sha256($(their_bytes "$1" $(($2 - $1)))), 'hex'), ' ') from generate_series(1, $peer_tli) as tli;
SQL
  ) || later "cannot read the WAL of site $peer as $replication_user" "run the update again"
  if [ -z "$their_hashes" ]; then return 0; fi
  own_hash=$(wal_bytes "$file_tli" "$1" "$2" | sha256sum)
  case " $their_hashes " in *" ${own_hash%% *} "*) piece=same ;; *) piece=other ;; esac
}

# The last record before the end here, as last_line says it.
last_here() { waldump "$control_redo" "$(lsn_of "$own_end")" | last_line; }

# Sets `file_tli`: the newest timeline of this site that has a file for this position.
find_own_file() { # POSITION
  file_tli=$own_tli
  while [ "$file_tli" -gt 0 ]; do
    if [ -r "$(wal_file "$file_tli" "$1")" ]; then return 0; fi
    file_tli=$((file_tli - 1))
  done
  return 1
}

# Sets `fork`: the begin of the first record here that the peer does not have. First the segment, then the byte, then its record.
find_difference() {
  part_from=$(((own_end - 1) / wal_segment * wal_segment))
  while [ "$part_from" -gt 0 ]; do
    compare_piece $((part_from - wal_segment)) "$part_from"
    case $piece in
    same) break ;;
    other) part_from=$((part_from - wal_segment)) ;;
    *)
      # Where that says nothing, where the two parted is not known: nothing can be exported, and nothing is taken for common.
      if [ $((own_end - part_from)) -lt 8192 ]; then return 0; fi
      compare_piece "$part_from" $((part_from + 8192))
      case $piece in same) break ;; *) return 0 ;; esac
      ;;
    esac
  done
  alike=$part_from differs=$((part_from + wal_segment))
  if [ "$differs" -gt "$own_end" ]; then differs=$own_end; fi
  while [ $((differs - alike)) -gt 1 ]; do
    middle=$(((alike + differs) / 2))
    compare_piece "$part_from" "$middle"
    case $piece in same) alike=$middle ;; *) differs=$middle ;; esac
  done
  # The record may have begun in the segment before.
  if find_own_file $((part_from - wal_segment)); then part_from=$((part_from - wal_segment)); fi
  fork_text=$(waldump "$(lsn_of "$part_from")" "$(lsn_of "$own_end")" | awk -v difference="$(printf '%08X%08X' $((alike >> 32)) $((alike & 0xFFFFFFFF)))" '
    function position(text,  half) { split(text, half, "/"); return substr("00000000" half[1], length(half[1]) + 1) half[2] }
    { lsn = substr($0, index($0, ", lsn: ") + 7); sub(/,.*/, "", lsn) }
    "x" position(lsn) <= "x" difference { begin = lsn }
    END { print begin }')
  if [ -n "$fork_text" ]; then
    number_of "$fork_text"
    fork=$number
  fi
}

# The records of this site, on each timeline that it was on. Danger: pg_waldump waits 5 s for a file that is missing.
waldump() { # FROM TO|'' [ARGUMENT...]
  number_of "$1"
  dump_from=$number dump_to=$2
  shift 2
  dump_end=$own_end dump_talk=${work:+$work/waldump.txt}
  dump_talk=${dump_talk:-/dev/null}
  if [ -n "$dump_to" ]; then
    number_of "$dump_to"
    dump_end=$number
  fi
  while read -r branch_tli begin finish; do
    stop=''
    if [ "$branch_tli" != "$own_tli" ]; then
      if [ "$finish" -le "$dump_from" ]; then continue; fi
      if [ "$finish" -lt "$dump_end" ]; then stop=$(lsn_of "$finish"); fi
    fi
    if [ -z "$stop" ]; then stop=$dump_to; fi
    if [ "$begin" -lt "$dump_from" ]; then begin=$dump_from; fi
    if [ "$begin" -ge "$dump_end" ]; then continue; fi
    as_owner "$bindir/pg_waldump" --path="$data/pg_wal" --timeline="$branch_tli" --start="$(lsn_of "$begin")" ${stop:+--end="$stop"} "$@" 2>>"$dump_talk" </dev/null || :
  done <<BRANCHES
$own_branches
BRANCHES
}
