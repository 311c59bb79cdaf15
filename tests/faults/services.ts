import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabSite } from "../../lab/site";
import type { LabService } from "../../stacks/demo/lab";

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

// The settings file among its words is what an application's process is told by. A zombie has none and so counts as gone.
const PROGRAM = `#!/bin/sh
set -eu
cd "\${0%/*}"
alive() { [ -s "$2.pid" ] && grep -qs settings.json "/proc/$(cat "$2.pid")/cmdline"; }
case $1 in
start)
  alive "$@" && exit 0
  setsid tail -f "$PWD/settings.json" </dev/null >/dev/null 2>&1 9>&- &
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
