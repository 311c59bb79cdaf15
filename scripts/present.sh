#!/bin/sh
# present: is there a database here, and does its server run? Each has three answers: yes, no, and that it cannot be told.
# Functions only; part of lib at every site (sites/guardProgram.ts).
# Danger: no permission, no answer and no file are three things. Absent is what a folder that can be listed does not list. A
# server is gone only where every process of the data's owner can be seen.
# shellcheck disable=SC2154,SC2034 # lib.sh sets them, the verbs use what is set here

# Sets `found`: yes, no, closed (this account may not look) or broken (it is listed, and leads nowhere: a stale mount, a
# broken disk, a link to nothing); and `stuck`, the path at which that was seen.
look_for() { # PATH
  found=yes stuck=$1
  if [ -e "$1" ]; then return 0; fi
  walked='' rest=${1#/}
  while [ -n "$rest" ]; do
    above=$walked walked=$walked/${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    if [ -e "$walked" ]; then continue; fi
    found=no stuck=$walked
    for entry in "$above"/* "$above"/.[!.]*; do if [ "$entry" = "$walked" ]; then found=broken; fi; done
    # It has come meanwhile, by a rename say.
    if [ "$found" = broken ] && [ -e "$walked" ]; then look_for "$1" && return 0; fi
    if [ ! -x "${above:-/}" ] || [ ! -r "${above:-/}" ]; then found=closed stuck=${above:-/}; fi
    return 0
  done
}

# Sets `there`: yes, no or unreadable; for the last `unread`, what stands in the way, and `unread_path`, where.
find_data() {
  there=yes unread='' unread_path=$data
  # shellcheck disable=SC3067 # dash, busybox, bash and ksh know it
  if [ -z "$switch_user" ] && [ -e "$data" ] && [ ! -O "$data" ]; then unread=account; fi
  look_for "$data/PG_VERSION"
  case $found in
  yes) if [ ! -r "$data/PG_VERSION" ]; then found=closed; else look_at_version; fi ;;
  no)
    there=no
    look_for "$data/global/pg_control"
    if [ "$found" = yes ]; then found=damaged stuck=$data/PG_VERSION; fi
    if [ "$found" = no ] && is_unmounted; then found=unmounted; fi
    ;;
  *) ;;
  esac
  case $found in yes | no) ;; *) unread=${unread:-$found} unread_path=$stuck ;; esac
  look_for "$state"
  case $found in closed | broken) unread=${unread:-$found} unread_path=$stuck ;; *) ;; esac
  if [ -d "$state" ] && [ ! -x "$state" ]; then unread=${unread:-closed} unread_path=$state; fi
  if [ -n "$unread" ]; then there=unreadable; fi
}
look_at_version() {
  IFS= read -r version <"$data/PG_VERSION" || version=''
  case $version in '' | *[!0-9.]*) found=damaged stuck=$data/PG_VERSION ;; *) ;; esac
}
# An empty folder in the place of a disk that is not mounted is no empty site.
is_unmounted() {
  if [ -n "$unit" ] && lacks_mount_unit; then return 0; fi
  if [ ! -r /etc/fstab ]; then return 1; fi
  while read -r _ point _; do
    case $point in /?*) ;; *) continue ;; esac
    case $data/ in "${point%/}"/*) if ! is_mounted "$point"; then stuck=$point && return 0; fi ;; *) ;; esac
  done </etc/fstab
  return 1
}
# A mount may be a unit of somebody's own, which /etc/fstab does not list.
lacks_mount_unit() {
  walked=$data
  while [ -n "$walked" ]; do
    if systemctl cat "$(systemd-escape --path --suffix=mount "$walked")" >/dev/null 2>&1 && ! is_mounted "$walked"; then
      stuck=$walked
      return 0
    fi
    walked=${walked%/*}
  done
  return 1
}
is_mounted() {
  while read -r _ mounted _; do if [ "$mounted" = "$1" ]; then return 0; fi; done </proc/self/mounts
  return 1
}

# Whether there is a database; ends the verb where that cannot be told.
has_database() {
  find_data
  if [ "$there" = unreadable ]; then cannot_tell; fi
  [ "$there" = yes ]
}

# Ends the verb with 77; observe says it as facts instead.
untold=''
cannot_tell() {
  if [ -n "$untold" ]; then "$untold"; fi
  account=$(id -un) owner=$(stat --format=%U "$data" 2>/dev/null) || owner=postgres
  case $unread in
  account) refuse "account $account is neither root nor $owner, to whom $data belongs: it cannot tell whether PostgreSQL runs" "let ssh() of this site enter as root or as $owner" ;;
  closed) refuse "account $account may not look into $unread_path, so nobody knows what is in $data" "as root at this site: chmod o+rx $unread_path; or let ssh() enter as root or as $owner" ;;
  broken) refuse "$unread_path is listed but cannot be looked at (a stale mount, a broken disk, or a link to nothing)" "look at it: ls -ld $unread_path; findmnt --target $unread_path; then run the update again" ;;
  unmounted)
    # PostgreSQL's unit requires the mount, and starting it again is due in any case.
    mount_line="mount $unread_path"
    if is_bound; then mount_line="systemctl start $unit, which mounts it first"; fi
    refuse "$unread_path stands in /etc/fstab or has a mount unit, and is not mounted, so nobody knows what is in $data" "as root at this site: $mount_line; then run the update again"
    ;;
  damaged) refuse "$unread_path is missing or cannot be read, but a database is beside it" "restore it before anything else: it holds the major version, as in: echo 15 >$unread_path" ;;
  *) refuse "postmaster.pid of $data names process $pid, and account $account cannot see whether it runs and works there (/proc hides it, or it runs in a container)" "let ssh() of this site enter as $owner where the server runs, or give root CAP_SYS_PTRACE and mount /proc without hidepid" ;;
  esac
}
hidden() { unread=hidden unread_path=$data/postmaster.pid && cannot_tell; }

# The live postmaster. A zombie (killed, not reaped) is dead, and so is a process that only inherited the number.
is_alive() {
  { IFS= read -r process_stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  process_stat=${process_stat##*) }
  case $process_stat in Z* | X*) return 1 ;; *) return 0 ;; esac
}
postmaster() {
  pid='' pid_port='' pid_socket='' pid_status=''
  # Danger: it may begin or end at this very moment. Closed is only what is still there after it could not be read.
  if [ ! -r "$data/postmaster.pid" ]; then
    if [ -r "$data" ] && [ -x "$data" ] && [ ! -e "$data/postmaster.pid" ]; then return 1; fi
    has_database || return 1
    if [ ! -r "$data/postmaster.pid" ] && [ -e "$data/postmaster.pid" ] && [ ! -r "$data/postmaster.pid" ] && [ -e "$data/postmaster.pid" ]; then
      unread=closed unread_path=$data/postmaster.pid && cannot_tell
    fi
  fi
  { read -r pid && read -r _ && read -r _ && read -r pid_port && read -r pid_socket && read -r _ && read -r _ && read -r pid_status; } <"$data/postmaster.pid" 2>/dev/null || :
  case $pid in '' | *[!0-9]*) return 1 ;; *) ;; esac
  # shellcheck disable=SC3013 # dash, busybox, bash and POSIX 2024 know it
  if is_alive "$pid" && [ "/proc/$pid/cwd" -ef "$data_path" ]; then return 0; fi
  if [ -e "/proc/$pid/cwd" ]; then return 1; fi
  if is_alive "$pid"; then is_hidden_server; else ! is_gone && hidden; fi
}

# A process whose folder is not shown to us: only one of the data's owner can be the server, and to its owner it is shown.
is_hidden_server() {
  of_uid=''
  { while read -r label of_uid _; do if [ "$label" = Uid: ]; then break; fi; done <"/proc/$pid/status"; } 2>/dev/null || return 1
  if [ "$of_uid" != "$(stat --format=%u "$data_path")" ]; then return 1; fi
  works_in=$(as_owner readlink "/proc/$pid/cwd" 2>/dev/null) || works_in=''
  # It may have ended meanwhile.
  if [ -z "$works_in" ] && is_alive "$pid"; then hidden; fi
  [ "$works_in" = "$data_path" ]
}

# The process is not to be seen. It is gone if it would be seen, and if nobody answers at its socket: a server in another
# container has another number here, or none.
is_gone() {
  if ! sees_all; then
    if [ -z "$(as_owner readlink /proc/self/cwd 2>/dev/null)" ] || [ -n "$(as_owner readlink "/proc/$pid/cwd" 2>/dev/null)" ]; then return 1; fi
  fi
  if [ ! -S "$pid_socket/.s.PGSQL.$pid_port" ]; then return 0; fi
  ! as_owner timeout 3 "$bindir/pg_isready" --quiet --host="$pid_socket" --port="$pid_port" --timeout=2 >/dev/null 2>&1
}
# Root needs leave to see other accounts' processes; the owner of the data sees its own.
sees_all() { [ -z "$switch_user" ] || [ -e /proc/1/cwd ]; }

# Any process that works in the data folder: a backend that outlived its postmaster may still acknowledge a commit.
# find ends with 1 when a process went away meanwhile, and where it may not look. Danger: any other failure must not read as
# "nobody", nor what was not shown.
# shellcheck disable=SC2120 # a folder under another name is given where it has one
data_processes() { # [FOLDER]
  if sees_all; then
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "${1:-$data_path}" 2>/dev/null || [ "$?" = 1 ] || echo /proc/unknown/cwd
    return 0
  fi
  # shellcheck disable=SC2016 # expanded by the inner shell
  seen_links=$(as_owner sh -c 'find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1" 2>/dev/null; readlink /proc/self/cwd >/dev/null && echo end' sh "${1:-$data_path}") || seen_links=''
  case $seen_links in
  *end) printf '%s' "${seen_links%end}" ;;
  *) echo /proc/unknown/cwd ;;
  esac
}
