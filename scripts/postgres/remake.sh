#!/bin/sh
# remake: gives this site the peer's data where following is not enough. Stands in front of rejoin, behind copy and alone.
#   rewind  pg_rewind: only what differs is copied
#   reseed  a whole new copy, by copy's functions
# Danger: pg_rewind deletes standby.signal and every marker inside the data folder, and killed half-way it leaves a folder
# that starts writable with rows missing. So it never works under the serving name: the folder is called DATA.rejoin from
# before the first changed byte until the signal and the configuration are back and synced. What is under way is written
# down in the state folder, file rejoin: `rewind`, `reseed` or `ready`, and when it began.
# shellcheck disable=SC2154 # lib.sh, copy.sh and rejoin.sh set them

# What an earlier run left. Sets `way` to reseed where a rewind was interrupted: only a new copy is sure to be whole.
take_up() {
  recall rejoin
  case $recalled in
  ready*)
    # The folder was complete; at most its name is missing.
    complete=${recalled#* }
    if [ ! -e "$data" ]; then
      take_places "$data.${complete%% *}"
      rename_folder "$data.${complete%% *}" "$data"
    fi
    data_path=$(cd -P "$data" && pwd)
    forget rejoin
    as_owner rm -rf "$data.rejoin"
    ;;
  rewind* | reseed*)
    # With the folder under its own name nothing had begun.
    if has_database; then
      forget rejoin
    else
      say "an earlier ${recalled%% *} did not end; the database is copied anew"
      reseed
    fi
    ;;
  *) ;;
  esac
}

# Whether the peer still has the WAL from this site's end on; a follower would otherwise wait for it for ever.
peer_has_wal() {
  found=$(
    peer_sql <<SQL 2>/dev/null
select coalesce(bool_or((pg_stat_file('pg_wal/' || lpad(upper(to_hex(tli)), 8, '0') || '$(printf '%08X%08X' $((own_end >> 32)) $((own_end % 0x100000000 / wal_segment)))', true)).size > 0), false)
  from generate_series($own_tli, $peer_tli) as tli;
SQL
  ) || found=t
  [ "$found" != f ]
}

# A diverged site holds writes that nobody else has. They are exported first (delta.done names this very divergence), or a
# person gives them up for this very epoch.
may_overwrite() {
  recall delta.done
  case $recalled in *" ${fork_text:--} $(lsn_of "$own_end") "*) return 0 ;; *) ;; esac
  if [ -n "$delta_epoch" ] && [ "$discard_delta" = "$delta_epoch" ]; then
    say "the writes that only this site holds are given up: discardDelta names epoch $delta_epoch"
    return 0
  fi
  return 1
}

# Stopped cleanly, in recovery, and nobody works in it.
stop_for_remake() {
  if postmaster; then stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"; fi
  if [ -n "$(data_processes)" ]; then fault "processes still work in $data" "end them, then run the update again"; fi
}

announce_remake() { # WAY BYTES
  fact way "$1"
  fact size "$2"
  say "$1: about $(($2 / 1048576)) MB from site $peer"
  now
  remake_began=$now
}

# Whether a rewind can work at all; `reason` says why not.
may_rewind() {
  reason='pg_rewind is missing'
  [ -x "$bindir/pg_rewind" ] || return 1
  reason='neither wal_log_hints nor data checksums are on here'
  printf '%s\n' "$control_text" | grep --quiet --extended-regexp '^(wal_log_hints setting: +on|Data page checksum version: +[1-9])' || return 1
  reason="site $peer is not on a newer timeline"
  [ "$own_tli" -lt "$peer_tli" ] || return 1
  reason="the timelines do not tell where the two parted"
  [ "$known_by" = history ] || return 1
  reason="site $peer has no checkpoint on timeline $peer_tli yet"
  peer_checkpoint
}

# Danger: before the new primary's first checkpoint pg_rewind reads its old timeline, finds nothing to do, and says so with
# exit code 0.
peer_checkpoint() {
  checkpoint_tli=$(
    peer_sql <<SQL
select to_regprocedure('standby.checkpoint()') is not null as able \gset
\if :able
select standby.checkpoint() as done \gset
\endif
select timeline_id from pg_control_checkpoint();
SQL
  ) || return 1
  [ "$checkpoint_tli" = "$peer_tli" ]
}

# Own files that the rewind overwrites with the peer's.
own_files='postgresql.conf postgresql.auto.conf pg_hba.conf pg_ident.conf'

keep_own_files() {
  as_owner rm -rf "$state/own"
  as_owner mkdir -p "$state/own"
  for file in $own_files; do if [ -e "$data/$file" ]; then as_owner cp --preserve=all "$data/$file" "$state/own/$file"; fi; done
}
put_own_files() { # FOLDER
  for file in $own_files; do
    if [ ! -e "$state/own/$file" ]; then continue; fi
    as_owner cp --preserve=all "$state/own/$file" "$1/$file"
    sync "$1/$file"
  done
}

rewind() {
  movable
  fit_places
  announce_remake rewind "$diverged_bytes"
  stop_for_remake
  as_owner rm -rf "$data.rejoin"
  keep_own_files
  store rejoin "rewind $(date +%s)"
  checkpoint rewind-marked
  rename_folder "$data" "$data.rejoin"
  checkpoint rewind-renamed
  rewound=no
  # Somebody may have started it in the last moment: then it has its name back, and the update is asked to come again.
  if [ -n "$(data_processes "$data_path.rejoin")" ]; then
    rename_folder "$data.rejoin" "$data"
    forget rejoin
    later "somebody started PostgreSQL at this moment" "see who starts it besides the guard, switch that off, then run the update again"
  fi
  as_owner "$bindir/pg_rewind" --target-pgdata="$data.rejoin" --progress \
    --source-server="host=$peer_host port=$peer_port user=$replication_user dbname=$database passfile=$PGPASSFILE connect_timeout=5 application_name=standby_rewind_$site" >&2 </dev/null 9>&- && rewound=yes
  checkpoint rewind-done
  if [ "$rewound" = no ]; then
    say "pg_rewind failed; the database is copied anew"
    reseed
    return 0
  fi
  put_own_files "$data.rejoin"
  checkpoint rewind-own-files
  stand_by "$data.rejoin"
  finish_remake "$data.rejoin"
}

# The signal and the connection, lasting, before the folder can be found by anybody.
stand_by() { # FOLDER
  : >"$1/standby.signal"
  give_to_owner "$1/standby.signal"
  sync "$1/standby.signal"
  serving=$data
  data=$1
  connection_extras "$data/postgresql.auto.conf"
  name_delay
  set_conf primary_conninfo "$(conninfo "$extras")" primary_slot_name "standby_$site" restore_command '' recovery_min_apply_delay 0
  data=$serving
}

finish_remake() { # FOLDER
  checkpoint remake-configured
  store rejoin "ready ${1##*.} $(date +%s)"
  checkpoint remake-ready
  take_places "$1"
  rename_folder "$1" "$data"
  data_path=$(cd -P "$data" && pwd)
  checkpoint remake-renamed
  start_postgres
  forget rejoin
  as_owner rm -rf "$state/own"
  now
  fact seconds "$(((now - remake_began + 99) / 100))"
}

# The old folder keeps its name and its signal until the copy is whole; then the two change places.
reseed() {
  if [ -e "$data" ]; then movable; fi
  way=reseed
  fit_places
  find_short 110
  tight=$short
  if [ -n "$tight" ]; then fit_room old; fi
  announce_remake reseed "$peer_bytes"
  if [ -e "$data" ]; then
    stop_for_remake
    place_signal
    keep_own_files
  fi
  store rejoin "reseed $(date +%s)"
  checkpoint reseed-marked
  make_room
  copy
  checkpoint reseed-copied
  if [ -e "$state/own/postgresql.auto.conf" ]; then
    put_own_files "$data.seed"
    stand_by "$data.seed"
  else
    configure
  fi
  if [ -e "$data" ]; then rename_folder "$data" "$data.rejoin"; fi
  checkpoint reseed-aside
  finish_remake "$data.seed"
  as_owner rm -rf "$data.rejoin"
}

# Two copies need twice the space. Where that is missing the old one goes first: its writes are exported or given up.
make_room() {
  remove_aside
  if [ ! -e "$data" ] || [ -z "$tight" ]; then return 0; fi
  IFS='|' read -r free need folder <<TIGHT
$tight
TIGHT
  say "$((free / 1048576)) MB are free at $folder, $((need / 1048576)) MB are needed: the old copy is removed first"
  rename_folder "$data" "$data.rejoin"
  remove_aside
}
