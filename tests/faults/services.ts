import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabSite } from "../../lab/site";
import type { LabService } from "../../stacks/demo/lab";
import { processesUnder } from "../../lab/processes";

/** The application of a cell: two real processes at the site that serves, light enough for hundreds of cells. */

const NAMES = ["worker", "web"] as const;

export const CELL_SERVICES: readonly LabService[] = NAMES.map((name) => ({
  name,
  kind: name,
  wave: 1,
  start: `"$HOME/light" start ${name}`,
  stop: `"$HOME/light" stop ${name}`,
  healthy: `"$HOME/light" healthy ${name}`,
}));

/** Seconds; tells such a process from a guard's short sleeps. */
const FOREVER = "86400";

// A zombie has no command line and so counts as gone.
const PROGRAM = `#!/bin/sh
set -eu
cd "\${0%/*}"
alive() { [ -s "$2.pid" ] && grep -qs sleep "/proc/$(cat "$2.pid")/cmdline"; }
case $1 in
start)
  alive "$@" && exit 0
  setsid sleep ${FOREVER} </dev/null >/dev/null 2>&1 9>&- &
  echo "$!" >"$2.pid"
  ;;
stop) if alive "$@"; then kill -KILL "$(cat "$2.pid")"; fi ;;
healthy) alive "$@" ;;
esac
`;

export function installServices(site: LabSite): void {
  const program = join(site.home, "light");
  writeFileSync(program, PROGRAM);
  chmodSync(program, 0o755);
}

/** How many service processes run at a site, told by the process list. */
export function runningServices(site: LabSite): number {
  return processesUnder(site.home).filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return line.split("\0")[1] === FOREVER || line.includes(join(site.home, "settings.json"));
    } catch {
      return false;
    }
  }).length;
}
