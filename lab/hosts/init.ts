import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Make } from "./make";

const INIT = "/usr/local/sbin/lab-init";

/**
 * A host in under a second: pid 1 is a shell that starts what is enabled at boot. There is no systemd, so the product
 * takes its way without one; the guard is kept running as a supervisor would, and the application has a service script.
 */
export const init: Make = {
  name: "init",
  install: (root) => {
    program(join(root, INIT), INIT_TEXT);
    program(join(root, "/usr/local/bin/systemctl"), SERVICES);
  },
  command: ({ name, disk, network, borrowed }) => [
    ...["nsenter", `--net=${network}`, "--"],
    ...["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"],
    ...["sh", "-c", STAGE, name, disk.root],
    ...Object.entries(borrowed).flat(),
  ],
  isUp: ["test", "-e", "/run/up"],
};

function program(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o755 });
}

// $0 NAME, $1 the host's root, then pairs: path there, path here.
const STAGE = `
set -e
root=$1
shift
hostname "$0"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
for folder in run tmp dev; do mount -t tmpfs -o mode=0755 "$folder" "$root/$folder"; done
chmod 1777 "$root/tmp"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for each in null zero full random urandom tty; do
  : >"$root/dev/$each"
  mount --bind "/dev/$each" "$root/dev/$each"
done
ln -s /proc/self/fd "$root/dev/fd"
for each in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/\${each#*:}" "$root/dev/\${each%:*}"; done
while [ "$#" -gt 0 ]; do
  if [ -d "$2" ]; then mkdir -p "$root$1"; else mkdir -p "$root\${1%/*}"; : >>"$root$1"; fi
  mount --bind "$2" "$root$1"
  shift 2
done
exec chroot "$root" ${INIT}
`;

// The guard comes before anything that can start PostgreSQL.
const INIT_TEXT = `#!/bin/sh
# pid 1 of a host of the lab: starts what is enabled at boot, then reaps.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /
mkdir -p /run/sshd /run/lock /run/lab
install -d -o postgres -g postgres -m 2775 /run/postgresql
/usr/sbin/sshd -o UsePAM=no </dev/null >/dev/null 2>&1
for guard in /var/lib/standby/*/guard; do
  if [ -x "$guard" ]; then
    "$guard" boot >>/var/log/guard.log 2>&1 </dev/null
  fi
done
cron </dev/null >/dev/null 2>&1
pg_lsclusters -h | while read -r version cluster _; do
  if grep -qs '^auto' "/etc/postgresql/$version/$cluster/start.conf"; then
    pg_ctlcluster "$version" "$cluster" start </dev/null >>/var/log/boot.log 2>&1
  fi
done
for unit in /etc/lab/enabled/*; do
  if [ -e "$unit" ]; then systemctl start "\${unit##*/}" </dev/null >>/var/log/boot.log 2>&1; fi
done
while :; do
  for guard in /var/lib/standby/*/guard; do
    if [ -x "$guard" ]; then "$guard" run </dev/null >>/var/log/guard.log 2>&1; fi
  done
  sleep 0.3
done &
touch /run/up
while :; do
  sleep 3600 &
  wait "$!"
done
`;

// stacks/example calls systemctl. Where there is no systemd, an administrator's wrapper serves the application's units.
const SERVICES = `#!/bin/sh
# systemctl start|stop|is-active|enable|disable [--quiet] UNIT: the application's units, without systemd.
set -u
verb=$1
shift
[ "\${1-}" = --quiet ] && shift
name=\${1%.service}
unit=/etc/systemd/system/$name.service
pid_file=/run/lab/$name.pid
[ -e "$unit" ] || { echo "no unit $name here" >&2; exit 4; }
start=$(sed -n 's/^ExecStart=//p' "$unit")
user=$(sed -n 's/^User=//p' "$unit")
alive() { [ -s "$pid_file" ] && grep -qsF "\${start%% *}" "/proc/$(cat "$pid_file")/cmdline"; }
case $verb in
  start)
    alive && exit 0
    # shellcheck disable=SC2086 # a command line, as systemd splits it
    setsid setpriv --reuid="$user" --regid="$user" --init-groups -- $start </dev/null >>"/var/log/$name.log" 2>&1 9>&- &
    echo "$!" >"$pid_file"
    ;;
  stop)
    alive || exit 0
    kill -TERM "$(cat "$pid_file")"
    tries=0
    while alive; do
      tries=$((tries + 1))
      if [ "$tries" -eq 200 ]; then kill -KILL "$(cat "$pid_file")"; fi
      sleep 0.01
    done
    ;;
  is-active) alive ;;
  enable) mkdir -p /etc/lab/enabled && : >"/etc/lab/enabled/$name" ;;
  disable) rm -f "/etc/lab/enabled/$name" ;;
  *) echo "systemctl $verb: no systemd here" >&2; exit 1 ;;
esac
`;
