#!/bin/sh
# units: the systemd units that make the guard a part of each start of PostgreSQL. Functions only; of the guard.
#   guard units   as root: writes and enables them; the verb install calls it
#   guard leave   as root: removes them, PostgreSQL goes on; the verb release calls it
#   guard move    as root: ends a server that runs outside its unit and starts it inside (a restart, a short outage)
# shellcheck disable=SC2154,SC2034 # lib.sh, owner.sh and watch.sh set them

# The units. Danger: what binds a running server to a guard that does not run yet would end it, so the guard comes first.
guard_units() {
  watch_settings
  if [ -z "$unit" ]; then return 0; fi
  if [ "$(id -u)" != 0 ]; then fault "only root can write units" "sudo $0 units"; fi
  changed=no
  note_found
  put_unit "$units_folder/standby-hold@$name.service" "$(hold_unit)"
  put_unit "$units_folder/standby-guard@$name.service" "$(guard_unit)"
  reload_changed
  systemctl start "standby-hold@$name.service" || fault "standby-hold@$name.service does not start" "journalctl --unit=standby-hold@$name.service --lines=20"
  start_guard
  # Danger: whoever cannot see the drop-in takes PostgreSQL for unbound, and starts it in its own session.
  mkdir -p "${bond%/*}"
  chmod a+rx "${bond%/*}"
  put_unit "$bond" "$(database_unit)"
  start_at_boot
  reload_changed
  systemctl --quiet reenable "standby-hold@$name.service" "standby-guard@$name.service"
  if [ "$bond" = "$units_folder/$unit" ]; then systemctl --quiet enable "$unit"; fi
  keep_log
  store units "$(wanted_sum)"
}
# The same for what should stand there, without writing it.
wanted_sum() {
  watch_settings
  { hold_unit && guard_unit && database_unit; } | sha256sum | cut --characters=1-64
}

# Running means that it has polled: one that ends at its first poll would take PostgreSQL along.
start_guard() {
  systemctl is-active --quiet "standby-guard@$name.service" || systemctl start "standby-guard@$name.service" || :
  deadline_in 10
  look_at_guard
  until [ "$guard_running" = yes ]; do
    in_time || fault "the guard does not run" "journalctl --unit=standby-guard@$name.service --lines=20"
    sleep 0.1
    look_at_guard
  done
}

put_unit() { # FILE TEXT
  if [ -e "$1" ] && [ "$(cat "$1")" = "$2" ]; then return 0; fi
  printf '%s\n' "$2" >"$1.new"
  chmod 0644 "$1.new"
  sync "$1.new"
  mv "$1.new" "$1"
  changed=yes
}
reload_changed() {
  if [ "$changed" = yes ]; then systemctl daemon-reload; fi
  changed=no
}

# What the pair found, for the verb release. An older version of this pair has set start.conf to manual.
note_found() {
  if [ -e "$state/found" ]; then return 0; fi
  found=$(start_conf)
  if [ -e "$state/prepared" ] && [ "$found" = manual ]; then found=auto; fi
  store found "$found"
}
# Debian's own mark: with it an upgrade starts the server again that it has stopped.
start_at_boot() {
  case $(start_conf) in auto | -) return 0 ;; *) ;; esac
  printf 'auto\n' >"${config%/*}/start.conf"
  changed=yes
}
# Debian's unit has a log of its own. Under the name that all messages give, it is found too.
keep_log() {
  case $unit in postgresql@*) ;; *) return 0 ;; esac
  cluster_log=${unit#postgresql@}
  cluster_log=/var/log/postgresql/postgresql-${cluster_log%.service}.log
  if [ ! -L "$state/log/server.log" ] && [ -e "$state/log/server.log" ]; then mv "$state/log/server.log" "$state/log/server.log.1"; fi
  ln -sfn "$cluster_log" "$state/log/server.log"
}

hold_unit() {
  cat <<UNIT
# Written by pulumi-standby for pair $name. Needs no network: PostgreSQL cannot start before it, nor without it.
[Unit]
Description=standby $name: no writable PostgreSQL at boot
DefaultDependencies=no
After=local-fs.target
RequiresMountsFor=$data $state
Before=$unit

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$state/guard hold

[Install]
RequiredBy=$unit
UNIT
}

# The watchdog must leave time for a whole poll; one slower than a lease counts as no supervision.
watchdog_ms() {
  watchdog_ms=$((after * 10))
  if [ "$watchdog_ms" -lt $(((poll + asking) * 10 + 1000)) ]; then watchdog_ms=$(((poll + asking) * 10 + 1000)); fi
}
guard_unit() {
  watchdog_ms
  cat <<UNIT
# Written by pulumi-standby for pair $name. When the guard ends or hangs, PostgreSQL is ended too.
[Unit]
Description=standby guard of $name
RequiresMountsFor=$data $state
Wants=$unit
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart=$state/guard run
ExecStopPost=$state/guard halt
WatchdogSec=${watchdog_ms}ms
WatchdogSignal=SIGKILL
TimeoutStopSec=$((bound / 100 + 5))
KillMode=process
Restart=always
RestartSec=1
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
UNIT
}

# Debian's unit gets a drop-in. Elsewhere the whole unit is ours.
database_unit() {
  printf '%s\n' "# Written by pulumi-standby for pair $name: PostgreSQL starts only with its guard, and as the guard admits it." \
    '[Unit]' "BindsTo=standby-guard@$name.service" "Requires=standby-hold@$name.service" \
    "After=standby-guard@$name.service standby-hold@$name.service" 'StartLimitIntervalSec=0'
  case $unit in postgresql@*) debian_unit ;; *) own_unit ;; esac
}
debian_unit() {
  cat <<UNIT

[Service]
EnvironmentFile=-/run/standby-$name.env
ExecStartPre=$state/guard admit
ExecStart=
ExecStart=-/usr/bin/pg_ctlcluster --skip-systemctl-redirect -o \${STANDBY_OPTIONS} %i start
UNIT
}
own_unit() {
  cat <<UNIT
Description=PostgreSQL of standby pair $name
RequiresMountsFor=$data $state
After=network.target

[Service]
Type=exec
User=$(stat --format=%U "$data" 2>/dev/null || echo postgres)
EnvironmentFile=-/run/standby-$name.env
Environment=PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj
ExecStartPre=+$state/guard admit
ExecStart=$bindir/postgres -D $data ${config:+-c config_file=$config }\$STANDBY_OPTIONS
StandardOutput=append:$state/log/server.log
StandardError=inherit
KillMode=mixed
KillSignal=SIGINT
TimeoutStartSec=infinity
TimeoutStopSec=1h
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
UNIT
}
# A unit of ours stays as the starter of a database that goes on; only what is the pair's leaves it.
plain_unit() { database_unit | grep --invert-match --extended-regexp '^(# Written|BindsTo|Requires|After=standby|EnvironmentFile|ExecStartPre)' | sed 's/ [$]STANDBY_OPTIONS//'; }

# Danger: what binds PostgreSQL to the guard goes first, then the guard's own halt, then the guard.
guard_leave() {
  watch_settings
  if [ -z "$unit" ] || [ -z "$(cat "$(unit_files | head --lines=1)" "$bond" 2>/dev/null)" ]; then return 0; fi
  if [ "$(id -u)" != 0 ]; then refuse "only root can remove the units of this pair" "at site $site: sudo $state/guard leave; then run the update again"; fi
  case $unit in postgresql@*) rm -f "$bond" ;; *) put_unit "$bond" "$(plain_unit)" ;; esac
  systemctl daemon-reload
  checkpoint bond-gone
  systemctl --quiet disable "standby-hold@$name.service" "standby-guard@$name.service" 2>/dev/null || :
  rm -f "$units_folder/standby-hold@$name.service" "$units_folder/standby-guard@$name.service"
  recall found
  case ${recalled:-auto} in - | "$(start_conf)") ;; *) printf '%s\n' "${recalled:-auto}" >"${config%/*}/start.conf" ;; esac
  systemctl daemon-reload
  systemctl stop "standby-guard@$name.service" "standby-hold@$name.service" || :
  rm -f "/run/standby-$name.env" "$state/units" "$state/found"
}

guard_move() {
  if [ "$(owner_word)" = unit ]; then
    say "PostgreSQL runs inside $unit"
    return 0
  fi
  if ! is_bound; then fault "no unit is installed here" "run the update first"; fi
  take_lock
  stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "see who holds up the stop, then run it again"
  start_postgres
}
