#!/bin/sh
# alone: the recovery from a crash without anybody listening. Functions only, for delta, rejoin and fence.
# A primary that dies while one transaction has more than 64 sub-transactions leaves WAL from which no standby becomes
# readable: the list of running transactions at its last checkpoint is incomplete, and a complete one would come with WAL
# that nobody writes any more. Such a folder is recovered in single-user mode: no socket, no worker, no client, nothing but
# the recovery and its checkpoint.
# Danger: that needs the folder without its signal. So it happens under another name, as a rewind does, and the signal is
# back before the name is. Danger: it writes one record of its own, so it is never done to a standby that could follow.
# shellcheck disable=SC2154 # lib.sh sets them

# Whether a start as a standby would wait for ever.
never_readable() {
  case $control_state in 'shut down') return 1 ;; *) ;; esac
  as_owner "$bindir/pg_waldump" --path="$data/pg_wal" --timeline="$own_tli" --start="$control_redo" --rmgr=Standby 2>/dev/null |
    awk '/RUNNING_XACTS/ { seen = 1; if ($0 !~ /subxid ov/) whole = 1 } END { exit !(seen && !whole) }'
}

recover_alone() {
  # Whatever ends this run now, a start of the folder is one as a standby.
  place_signal
  say "a transaction with very many sub-transactions was running when PostgreSQL died; recovers without anybody"
  if postmaster && ! stop_postgres INT "$stop_bound" && ! stop_postgres QUIT 5; then fault "PostgreSQL did not stop" "end it by hand, then run the update again"; fi
  if [ -n "$(data_processes)" ]; then fault "processes still work in $data" "end them, then run the update again"; fi
  movable
  store rejoin "recover $(date +%s)"
  checkpoint alone-marked
  rename_folder "$data" "$data.rejoin"
  checkpoint alone-renamed
  rm -f "$data.rejoin/standby.signal"
  as_owner "$bindir/postgres" --single -D "$data.rejoin" ${config:+-c config_file="$config"} -c data_directory="$data.rejoin" -c recovery_target_timeline=latest "$database" \
    </dev/null >>"$state/log/server.log" 2>&1 9>&- || say "it did not end well: see $state/log/server.log"
  checkpoint alone-recovered
  after_alone
  read_control || fault "cannot read the control file of $data" "look at the disk"
  if [ "$control_state" != 'shut down' ]; then fault "PostgreSQL did not recover (control file: $control_state)" "read $state/log/server.log"; fi
}

# Also what a killed one left: the folder gets its signal, then its name.
after_alone() {
  recall rejoin
  case $recalled in recover*) ;; *) return 0 ;; esac
  if [ ! -e "$data" ]; then
    if [ -n "$(data_processes "$data_path.rejoin")" ]; then later "an earlier recovery still works in $data.rejoin" "wait for it to end and run the update again"; fi
    serving=$data
    data=$data.rejoin
    place_signal
    data=$serving
    rename_folder "$data.rejoin" "$data"
    data_path=$(cd -P "$data" && pwd)
  fi
  forget rejoin
}

rename_folder() { # FROM TO
  mv --no-target-directory "$1" "$2" || refuse "$1 cannot be renamed to $2" "look at both folders"
  sync "${data%/*}"
}

# A mount point cannot be renamed, so nothing could keep it from being started half-way.
movable() {
  if [ -L "$data" ]; then refuse "$data is a symbolic link: its target could be started while it is rewound or copied" "name the folder itself as dataDirectory"; fi
  if [ "$(stat --format=%d "$data/.")" != "$(stat --format=%d "$data/..")" ]; then
    refuse "$data is a mount point: it cannot be put aside while it is rewound or copied" "mount one level higher and name a folder below it as dataDirectory"
  fi
}
