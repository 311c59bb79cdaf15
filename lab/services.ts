import type { LabService } from "../stacks/demo/lab";
import type { InstalledApp } from "./app/install";

/** The lab's application: the job worker ends first, the web app starts after it. */
export const LAB_SERVICES: readonly LabService[] = (
  [
    { name: "worker", kind: "worker", wave: 1 },
    { name: "web", kind: "web", wave: 1 },
  ] as const
).map((service) => ({
  ...service,
  start: `"$HOME/service" start ${service.name}`,
  stop: `"$HOME/service" stop ${service.name}`,
  healthy: `"$HOME/service" healthy ${service.name}`,
}));

// A host's service manager, as far as the guard is concerned.
export const KEEP_GUARD = `
while :; do
  if [ -x "$1" ]; then "$1" run >>"$HOME/guard.log" 2>&1; fi
  sleep 0.3
done
`;

// What systemctl is to a real site. A service counts as healthy once it has said so and while its
// process is alive; a zombie has no command line and so counts as gone.
export function serviceText(home: string, app: InstalledApp): string {
  return `#!/bin/sh
# service start|stop|healthy web|worker
set -eu
cd '${home}'
name=$2
alive() { [ -s "$name.pid" ] && grep -qs '${home}/settings.json' "/proc/$(cat "$name.pid")/cmdline"; }
case $1 in
  start)
    alive && exit 0
    rm -f "$name.ready"
    setsid '${app.node}' '${app.folder}'/"$name.js" '${home}/settings.json' "$name.ready" \\
      </dev/null >>"$name.log" 2>&1 9>&- &
    echo "$!" >"$name.pid"
    ;;
  stop)
    alive || exit 0
    pid=$(cat "$name.pid")
    kill -TERM "$pid"
    tries=0
    while alive; do
      tries=$((tries + 1))
      if [ "$tries" -eq 200 ]; then kill -KILL "$pid"; fi
      sleep 0.01
    done
    ;;
  healthy) alive && [ -e "$name.ready" ] ;;
  *) exit 64 ;;
esac
`;
}
