#!/bin/sh
# room.sh FOLDER PROGRAM [ARGUMENT...]: the first process of the lab's room. It has namespaces of its own for network,
# mounts and processes, so that all of it ends with this process: hosts, their disks (memory below FOLDER) and their links.
set -eu
folder=$1
shift
mount -t tmpfs -o mode=0755 standby-room "$folder"
mkdir -p "$folder/hosts"
# Masters of ssh are found by address, and two rooms have the same ones: without this a command would enter the hosts of
# another room.
XDG_RUNTIME_DIR=$folder/r
mkdir -m 0700 "$XDG_RUNTIME_DIR"
export XDG_RUNTIME_DIR
# The runner of README's example, and a second name server.
ip link set lo up
ip addr add 203.0.113.5/32 dev lo
ip addr add 203.0.113.6/32 dev lo
ip -6 addr add 2001:db8:f::5/128 dev lo 2>/dev/null || true
for setting in ipv4/ip_forward ipv6/conf/all/forwarding; do
  if [ -w "/proc/sys/net/$setting" ]; then echo 1 >"/proc/sys/net/$setting"; fi
done
printf 'nameserver 203.0.113.5\n' >"$folder/resolv.conf"
mount --bind "$folder/resolv.conf" /etc/resolv.conf
# systemd-nspawn keeps its locks there, and would leave them behind.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 standby-room /run/systemd/nspawn

exec 3<&0
"$@" <&3 3<&- &
child=$!
# A background child of sh ignores SIGINT, and so it is told otherwise.
trap 'kill -TERM "$child" 2>/dev/null' INT TERM HUP
code=0
while :; do
  wait "$child" && code=0 || code=$?
  kill -0 "$child" 2>/dev/null || break
done
exit "$code"
