#!/bin/sh
# place: where things are on this host: PostgreSQL's configuration and programs, and the folders that its owner must be
# able to enter. Stands behind lib.sh.
# shellcheck disable=SC2154 # lib.sh sets them

# Sets `config`, the configuration file, where nobody named one: what the server was last started with, else the one in
# PGDATA (then it stays empty), else the one below /etc/postgresql whose data_directory is ours. Where several are, none is
# taken and `config_choices` names them.
find_config() {
  config_choices=''
  if [ -n "$config" ]; then return 0; fi
  if [ -r "$data/postmaster.opts" ]; then
    IFS= read -r started_with <"$data/postmaster.opts" || :
    case $started_with in
    *'"config_file='* | *'"--config-file='* | *'"--config_file='*)
      config=${started_with##*config?file=}
      config=${config%%\"*}
      # In our own commands the value is quoted once more.
      config=${config#\'} config=${config%\'}
      if [ -r "$config" ]; then return 0; fi
      config=''
      ;;
    *) ;;
    esac
  fi
  if [ -e "$data/postgresql.conf" ]; then return 0; fi
  for candidate in /etc/postgresql/*/*/postgresql.conf; do
    if [ ! -r "$candidate" ] || ! is_of_data "$candidate"; then continue; fi
    config_choices="$config_choices,$candidate" config=$candidate
  done
  config_choices=${config_choices#,}
  case $config_choices in *,*) config='' ;; *) config_choices='' ;; esac
}
# A setting of a configuration file, quoted or bare; of several lines the last one counts.
conf_value() { # NAME FILE
  set_to="s/^[[:space:]]*$1[[:space:]]*=\{0,1\}[[:space:]]*"
  sed -n -e "$set_to'\([^']*\)'.*/\1/p" -e t -e "$set_to\([^'#[:space:]]*\).*/\1/p" "$2" | tail --lines=1
}
is_of_data() { # FILE
  named=$(conf_value data_directory "$1")
  if [ -z "$named" ]; then return 1; fi
  if [ "${named%/}" = "${data%/}" ]; then return 0; fi
  # shellcheck disable=SC3013 # dash, busybox, bash and POSIX 2024 know it
  [ "$named" -ef "$data" ]
}

# Sets `bindir`: the programs of the data's own major; without data those that its configuration lies under, else the newest.
find_programs() {
  named_bindir=$bindir
  if [ -n "$bindir" ]; then return 0; fi
  major=''
  if [ -r "$data/PG_VERSION" ]; then IFS= read -r major <"$data/PG_VERSION"; fi
  case $major$config in
  /etc/postgresql/*/*/*)
    major=${config#/etc/postgresql/}
    major=${major%%/*}
    ;;
  *) ;;
  esac
  programs_of "$major"
  if [ -z "$bindir" ]; then bindir=$(pg_config --bindir 2>/dev/null) || bindir=''; fi
}

# Sets `bindir` to the programs of MAJOR, or of the newest where none is asked for; and `majors`, all that are here.
# Danger: by name 9.6 comes after 15, and 10 before 9.6.
programs_of() { # MAJOR or ''
  majors='' best=0
  for folder in /usr/lib/postgresql/*/bin; do
    installed=${folder%/bin}
    installed=${installed##*/}
    case $installed in
    *[!0-9.]* | .* | *. | *.*.*) continue ;;
    [0-9].[0-9] | [0-9].[0-9][0-9]) rank=${installed%.*} ;;
    *.*) continue ;;
    *) rank=${installed}0 ;;
    esac
    if [ ! -x "$folder/postgres" ]; then continue; fi
    majors="$majors,$installed"
    if [ "$1" = "$installed" ]; then bindir=$folder best=9999999; fi
    if [ -z "$1" ] && [ "$rank" -gt "$best" ]; then bindir=$folder best=$rank; fi
  done
  majors=${majors#,}
}

# Sets `blocked` to the first folder on the way to PATH, or PATH itself, that the owner cannot enter, and is 1 then.
find_block() { # PATH
  blocked='' walked='' rest=${1#/}
  while [ -n "$rest" ]; do
    walked=$walked/${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    if [ ! -e "$walked" ] && [ ! -L "$walked" ]; then return 0; fi
    if ! as_owner test -x "$walked" || [ ! -d "$walked" ]; then
      blocked=$walked
      return 1
    fi
  done
}

# Makes a folder of the owner's. Danger: what has to be made above it must stay open: root's own 0700, which the umask would
# give, locks the owner out of the state or of the data. A folder that is there keeps its mode and its owner.
make_folder() { # PATH
  may_enter "${1%/*}"
  if [ ! -d "$1" ]; then
    # shellcheck disable=SC2174 # on purpose: only the last one is closed
    (umask 022 && mkdir -p -m 0700 "$1") || refuse "$1 cannot be made" "type at this site, as root: install -d -m 0755 ${1%/*} && install -d -o ${switch_user:-$(id -un)} -m 0700 $1; then run the update again"
    give_to_owner "$1"
  fi
  may_enter "$1"
}
may_enter() { # PATH
  find_block "${1:-/}" && return 0
  owner=${switch_user:-$(id -un)}
  open="chmod o+x $blocked"
  if [ ! -d "$blocked" ]; then
    open="ls -ld $blocked, which is no folder"
  elif [ "$blocked" = "$state" ]; then
    open="chown $owner $blocked"
  fi
  refuse "$owner cannot enter $blocked, which leads to $1" "type at this site, as root: $open; then run the update again"
}
# The pair's own folder at this site, for the owner alone.
make_state() {
  for folder in "$state" "$state/log"; do
    if [ -d "$folder" ]; then give_to_owner "$folder"; fi
    make_folder "$folder"
    chmod 0700 "$folder"
  done
}
