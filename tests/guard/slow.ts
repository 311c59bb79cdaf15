import { chmodSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../lab/postgres/cluster";
import { ownedFolder } from "../../lab/postgres/programs";

/** Programs of a cluster with some replaced: their text runs in the place of the real one, which is `"$real"`. */
export function fakeBinaries(cluster: Cluster, fakes: Readonly<Record<string, string>>): string {
  const folder = ownedFolder(join(cluster.dir, "programs"));
  chmodSync(folder, 0o755);
  for (const program of readdirSync(cluster.bindir)) {
    const real = join(cluster.bindir, program);
    const fake = fakes[program];
    if (fake === undefined) symlinkSync(real, join(folder, program));
    else
      writeFileSync(join(folder, program), `#!/bin/sh\nreal=${real}\n${fake}\n`, { mode: 0o755 });
  }
  return folder;
}
