#!/bin/sh
# wal: what the control file, a position and a token say. Functions only; part of lib at every site (sites/guardProgram.ts).
# shellcheck disable=SC2154,SC2034 # lib.sh sets them, the verbs use what is set here

# What the control file says. A torn read shows as a wrong checksum: read again.
read_control() {
  for _ in 1 2 3 4 5; do
    control_text=$(as_owner "$bindir/pg_controldata" --pgdata="$data" 2>&1) || return 1
    case $control_text in *'Calculated CRC checksum does not match'*) sleep 0.02 ;; *) break ;; esac
  done
  while IFS= read -r control_line; do
    control_value=${control_line#*:}
    control_value=${control_value#"${control_value%%[! ]*}"}
    case $control_line in
    'Database system identifier:'*) control_system=$control_value ;;
    'Database cluster state:'*) control_state=$control_value ;;
    'Latest checkpoint location:'*) control_lsn=$control_value ;;
    "Latest checkpoint's REDO location:"*) control_redo=$control_value ;;
    "Latest checkpoint's TimeLineID:"*) control_tli=$control_value ;;
    'Minimum recovery ending location:'*) control_end=$control_value ;;
    "Min recovery ending loc's timeline:"*) control_end_tli=$control_value ;;
    'Bytes per WAL segment:'*) wal_segment=$control_value ;;
    'WAL block size:'*) wal_page=$control_value ;;
    *) ;;
    esac
  done <<CONTROL
$control_text
CONTROL
  # A server that was promoted and died before its first checkpoint shows the new timeline only here.
  own_tli=$control_tli
  if [ "$control_end_tli" -gt "$own_tli" ]; then own_tli=$control_end_tli; fi
}

# Positions as numbers: an LSN's two halves make one 64-bit number.
number_of() { number=$((0x${1%/*} << 32 | 0x${1#*/})); }
lsn_of() { printf '%X/%X' $(($1 >> 32)) $(($1 & 0xFFFFFFFF)); }
wal_file() { printf '%s/pg_wal/%08X%08X%08X' "$data" "$1" $(($2 >> 32)) $(($2 % 0x100000000 / wal_segment)); }

# Sets `end` to the first position after the record at $1 of timeline $2: what a standby that has replayed it reports.
# Page headers (24 bytes, 40 at a segment's start) count where the record crosses a page; records start on 8 bytes.
record_end() {
  file=$(wal_file "$2" "$1")
  left=$(od --address-radix=n --format=u4 --skip-bytes=$(($1 % wal_segment)) --read-bytes=4 "$file") || fault "cannot read the WAL record at $(lsn_of "$1")" "look at $file"
  left=${left##* } end=$1
  if [ "$left" -lt 24 ]; then fault "no WAL record at $(lsn_of "$1") (length $left)" "look at $file"; fi
  room=$((wal_page - end % wal_page))
  while [ "$left" -gt "$room" ]; do
    left=$((left - room)) end=$((end + room))
    header=24
    if [ $((end % wal_segment)) -eq 0 ]; then header=40; fi
    end=$((end + header)) room=$((wal_page - header))
  done
  end=$(((end + left + 7) / 8 * 8))
}

# Sets `history_tli` and `number`: the timeline of a history file, and where it begins.
read_history() { # FILE
  history_tli=$((0x$(basename "$1" .history))) history_begin=0/0
  while read -r before_tli before_lsn _; do
    case $before_tli in '' | *[!0-9]*) ;; *) history_begin=$before_lsn ;; esac
  done <"$1"
  number_of "$history_begin"
}

# The fence's proof: v1,SYSTEM,TIMELINE,LSN,END,RECORDHASH,TAILFROM,TAILHASH,EPOCH,RUN. v1-drained: the server died, END is
# its last valid record, and the other site fetched it all.
read_token() {
  IFS=, read -r token_v token_system token_tli token_lsn token_end token_record token_tail token_hash token_epoch token_run <<TOKEN
$1
TOKEN
  case $token_v in v1 | v1-drained) [ -n "$token_run" ] ;; *) return 1 ;; esac
}

wal_bytes() { # TIMELINE FROM TO: these bytes of the WAL, across segments
  position=$2
  while [ "$position" -lt "$3" ]; do
    until=$(((position / wal_segment + 1) * wal_segment))
    if [ "$until" -gt "$3" ]; then until=$3; fi
    dd if="$(wal_file "$1" "$position")" iflag=skip_bytes,count_bytes,fullblock skip=$((position % wal_segment)) count=$((until - position)) bs=65536 status=none
    position=$until
  done
}

# Sets `own_end`, read from the WAL itself.
find_wal_end() {
  last=$(last_record 86400)
  end_of_last "${last:-$control_redo}"
  own_end=$end
}
# Where the last record begins, and whether it is a switch of segments. A look that was cut short says nothing. Danger: pg_waldump waits 5 s for a file that is missing,
# as it is after a base backup's switch of segments; so it is asked no further than the files go.
last_record() { # SECONDS [END]
  number_of "$control_redo"
  wal_stop=$((number / wal_segment * wal_segment))
  while [ -e "$(wal_file "$own_tli" "$wal_stop")" ]; do wal_stop=$((wal_stop + wal_segment)); done
  {
    as_owner timeout "$1" "$bindir/pg_waldump" --path="$data/pg_wal" --timeline="$own_tli" --start="$control_redo" --end="${2:-$(lsn_of "$wal_stop")}" 2>/dev/null || [ "$?" -lt 124 ] || echo cut
  } | last_line
}
# Of a dump on stdin: where the last record begins, and `switch` behind it where it is a switch of segments.
last_line() { sed -n '$ { s/.*, lsn: \([^,]*\),.* desc: SWITCH.*/\1 switch/p; s/.*, lsn: \([^,]*\),.*/\1/p; }'; }
# Whether the record that last_line says ends just there.
ends_at() { # "LSN" or "LSN switch", POSITION as a number
  [ -n "$1" ] && [ "$(end_of_last "$1" 2>/dev/null && echo "$end")" = "$2" ]
}
# Sets `end`: where that record ends. A switch takes the rest of its segment.
end_of_last() { # LSN or "LSN switch"
  number_of "${1%% *}"
  case $1 in
  *' switch') end=$(((number / wal_segment + 1) * wal_segment)) ;;
  *) record_end "$number" "$own_tli" ;;
  esac
}

# Sets recovery_at and recovery_of: the first position of the WAL file that a starting server replays, as its own title says, and
# of the one that was written last (one that was only put in store keeps its old time). `unknown` where it says nothing.
recovery_progress() {
  recovery_at=unknown recovery_of=unknown
  read_control || return 0
  for link in $(data_processes); do
    title=''
    { IFS= read -r title <"${link%/cwd}/cmdline"; } 2>/dev/null || :
    case $title in *startup*recovering\ *) recovery_at=$(file_start "${title##*recovering }") ;; *) ;; esac
  done
  newest_file=$(find "$data/pg_wal/" -maxdepth 1 -name '????????????????????????' -printf '%T@ %f\n' 2>/dev/null | sort -n | tail -n 1)
  recovery_of=$(file_start "${newest_file##* }")
}
file_start() {
  file_name=${1%%[!0-9A-F]*}
  case ${#file_name} in 24) ;; *) echo unknown && return 0 ;; esac
  file_name=${file_name#????????}
  lsn_of $((0x${file_name%????????} * 0x100000000 + 0x${file_name#????????} * wal_segment))
}
