#!/bin/sh
# places: where a copy of the peer's database goes: the data folder and one folder a tablespace. Functions only; stands in
# front of seed and of rejoin. A tablespace's new copy is made in PLACE/standby.seed, PLACE being its folder here, and moved
# when the whole copy is there: so a place may be a mount point, and its old content is there until then.
# Danger: what does not fit is found out before anything is stopped or removed. A copy that can never end must not begin.
# shellcheck disable=SC2154 # lib.sh sets them

# Sets `places`, two lines each: OID|BYTES|LOCATION at the peer, then its place here. Sets `peer_bytes`, of all databases as
# far as the replication user may see them, and `major`. A tablespace whose data is here already stays where it is.
ask_places() {
  answer=$(
    peer_sql <<SQL
select current_setting('server_version_num')::int / 10000;
select coalesce(sum(pg_database_size(oid)), 0)::bigint from pg_database where has_database_privilege(oid, 'connect');
select concat_ws('|', oid, case when pg_has_role('pg_read_all_stats', 'usage') then pg_tablespace_size(oid) else -1 end, pg_tablespace_location(oid))
  from pg_tablespace where pg_tablespace_location(oid) like '/%' order by oid;
SQL
  ) || later "cannot ask site $peer at $peer_host:$peer_port as $replication_user" "check pg_hba.conf, the firewall and ~/.pgpass, then run the update again"
  places='' major='' peer_bytes='' unsized=no
  while IFS='|' read -r oid bytes theirs; do
    if [ -z "$major" ]; then
      major=$oid
    elif [ -z "$peer_bytes" ]; then
      peer_bytes=$oid
    else
      if [ "$bytes" = -1 ]; then unsized=yes; fi
      place=${theirs%/standby.seed}
      for folder in "$data.rejoin" "$data"; do
        if [ -L "$folder/pg_tblspc/$oid" ]; then place=$(readlink "$folder/pg_tblspc/$oid") && place=${place%/standby.seed}; fi
      done
      places="$places$oid|$bytes|$theirs
$place
"
    fi
  done <<ANSWER
$answer
ANSWER
}

# Calls FUNCTION for each tablespace, with `oid`, `bytes`, `theirs` and `place` set.
each_place() { # FUNCTION
  while IFS='|' read -r oid bytes theirs && IFS= read -r place; do "$1"; done <<PLACES
$places
PLACES
}

# Whether every part of the copy has a place that is the database's own, and room. Nothing has been touched yet.
fit_places() {
  ask_places
  parent=${data%/*}
  while [ ! -d "$parent" ]; do parent=${parent%/*} && parent=${parent:-/}; done
  seen_places=' '
  each_place fit_place
}

fit_place() {
  case $place in
  *[[:space:]\|]*) refuse "tablespace $oid lies in '$place': a path with white space or a bar cannot be copied" "move the tablespace (at site $peer) to a path without them" ;;
  "$data"/* | "$data_path"/* | "$data".*) refuse "tablespace $oid lies in $place, inside the data folder, which is put aside while it is copied or rewound" "move its tables to a tablespace outside $data" ;;
  *) ;;
  esac
  case $seen_places in *" $place "*) refuse "two tablespaces would lie in $place here" "give each a folder of its own" ;; *) ;; esac
  seen_places="$seen_places$place "
  owner=${switch_user:-$(id -un)}
  if [ ! -d "$place" ]; then refuse "the folder of tablespace $oid, $place, is missing here" "mount its disk if it has one of its own; then as root at site $site: install --directory --owner=$owner --mode=700 $place"; fi
  if ! as_owner test -w "$place"; then refuse "the folder of tablespace $oid, $place, cannot be written by $owner" "as root at site $site: chown $owner: $place"; fi
  for old in "$place/PG_${major}_"*; do
    if [ ! -e "$old" ] || is_own_place; then continue; fi
    refuse "$old is of another database, or of a data folder that was moved aside; tablespace $oid of site $peer belongs in its place" "if nothing uses it: mv $old $place/old.${old##*/}"
  done
}

# Its data here is the data folder's own.
is_own_place() {
  for folder in "$data.rejoin" "$data"; do
    for link in "$folder"/pg_tblspc/*; do
      if [ -L "$link" ]; then
        target=$(readlink "$link")
        if [ "${target%/standby.seed}" = "$place" ]; then return 0; fi
      fi
    done
  done
  return 1
}

# Sets `short`: FREE|NEED|FOLDER of a disk without room for the copy, $1 percent of it; with `old` what the copy replaces
# counts as room. Empty where the size of a tablespace is not known: then nothing is refused for it.
find_short() { # PERCENT [old]
  short='' rest=$peer_bytes disks=''
  if [ "$unsized" = yes ]; then return 0; fi
  each_place add_disk
  if [ "$rest" -lt 0 ]; then rest=0; fi
  by_disk=$(
    while IFS='|' read -r wanted folder content; do
      freed=0
      # shellcheck disable=SC2086 # a pattern of two names or more
      if [ "${2:-}" = old ]; then freed=$(du --summarize --block-size=1 --total $content 2>/dev/null | tail --lines=1); fi
      printf '%s|%s|%s|%s|%s\n' "$(stat --format=%d "$folder")" "$(df --output=avail --block-size=1 "$folder" | tail --lines=1)" "$wanted" "${freed%%[!0-9]*}" "$folder"
    done <<DISKS | sort --stable --field-separator='|' --key=1,1
$disks$rest|$parent|$data $data.rejoin
DISKS
  )
  disk='' short_at=''
  while IFS='|' read -r device free wanted freed folder; do
    if [ "$device" != "$disk" ]; then disk=$device need=0 old=0 first=$folder; fi
    need=$((need + wanted)) old=$((old + freed))
    # Of a disk with several places the last sum counts.
    if [ $((free + old)) -lt $((need * $1 / 100)) ]; then
      short="$((free + old))|$((need * $1 / 100))|$first" short_at=$device
    elif [ "$device" = "$short_at" ]; then short=''; fi
  done <<DISKS
$by_disk
DISKS
}
add_disk() {
  rest=$((rest - bytes))
  disks="$disks$bytes|$place|$place/PG_${major}_*
"
}

# Refused for good: no act of ours makes that room.
fit_room() { # [old]
  find_short 100 "$@"
  if [ -z "$short" ]; then return 0; fi
  IFS='|' read -r free need folder <<SHORT
$short
SHORT
  refuse "$((free / 1048576)) MB are free at $folder${1:+, the old copy counted in}, the copy of site $peer needs $((need / 1048576)) MB" "make room on that disk, then run the update again"
}

# Sets `mapping`, and removes what an earlier try left in the places.
map_places() {
  mapping=''
  each_place map_place
}
map_place() {
  as_owner rm -rf "$place/standby.seed"
  mapping="$mapping --tablespace-mapping=$(printf '%s=%s' "$(escaped "$theirs")" "$(escaped "$place/standby.seed")")"
}
escaped() { printf '%s' "$1" | sed 's/=/\\=/g'; }

# FOLDER is a whole copy, and what it replaces has been put aside as DATA.rejoin: the tablespaces take their places. May be
# killed anywhere and called again: while PLACE/standby.seed holds the copy, what lies beside it is the old one.
take_places() { # FOLDER
  read -r major <"$1/PG_VERSION"
  taken=' '
  for link in "$1"/pg_tblspc/*; do
    if [ ! -L "$link" ]; then continue; fi
    target=$(readlink "$link")
    place=${target%/standby.seed}
    taken="$taken$place "
    if [ "$place" = "$target" ]; then continue; fi
    for copied in "$target/PG_${major}_"*; do
      if [ ! -e "$copied" ]; then continue; fi
      as_owner rm -rf "$place/${copied##*/}"
      as_owner mv --no-target-directory "$copied" "$place/${copied##*/}"
      sync "$place"
    done
    checkpoint place-taken
    as_owner ln -s "$place" "$1/place.$new"
    as_owner mv --no-target-directory "$1/place.$new" "$link"
    sync "$1/pg_tblspc"
    as_owner rmdir "$target"
  done
  leave_places
}

# What the old data had in a tablespace that the peer does not have.
leave_places() {
  for link in "$data.rejoin"/pg_tblspc/*; do
    if [ ! -L "$link" ]; then continue; fi
    target=$(readlink "$link")
    case $taken in *" ${target%/standby.seed} "*) ;; *) as_owner rm -rf "$target/PG_${major}_"* ;; esac
  done
}

# The old data goes, with its tablespaces first: while their links are there, a killed run finds them again.
# Danger: only where no data folder is left that links to the same places.
remove_aside() {
  if [ ! -e "$data" ] && [ -r "$data.rejoin/PG_VERSION" ]; then
    read -r major <"$data.rejoin/PG_VERSION"
    taken=' '
    leave_places
  fi
  as_owner rm -rf "$data.rejoin"
}
