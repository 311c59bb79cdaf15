import { spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Cluster } from "../../lab/postgres/cluster";
import { freePort } from "../../lab/postgres/ports";
import { signalProcess, until } from "../../lab/postgres/processes";
import { clusterOwner, ownedFolder } from "../../lab/postgres/programs";
import type { SiteId } from "../../plan/terms";
import type { InputBench } from "./bench";

/** What a site's host can be like. Each gives what takes it back, or the arguments that lead into it. */

export type Undo = () => unknown;

/** A program that enters the site with another PATH. */
function wrapWith(bench: InputBench, site: SiteId, name: string, path: string): string {
  const file = join(bench.lab.dir, `enter-${name}`);
  writeFileSync(file, `#!/bin/sh\nPATH="${path}" exec '${bench.lab.sites[site].wrap}' "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** The site's host, without these programs. */
export function hostWithout(bench: InputBench, site: SiteId, programs: readonly string[]): string {
  const name = `without-${programs.join("-")}`;
  const folder = join(bench.lab.dir, name);
  mkdirSync(folder, { mode: 0o755 });
  for (const from of ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]) {
    for (const program of readdirSync(from)) {
      const link = join(folder, program);
      if (!programs.includes(program) && !existsSync(link)) linkOnce(join(from, program), link);
    }
  }
  return wrapWith(bench, site, name, folder);
}

function linkOnce(target: string, link: string): void {
  try {
    symlinkSync(target, link);
  } catch {
    // A dangling link of the system is not seen by existsSync; one of each name is enough.
  }
}

/** The site's host, with a program of our own before the real one of that name. */
export function hostWith(bench: InputBench, site: SiteId, program: string, text: string): string {
  const folder = join(bench.lab.dir, `with-${program}`);
  mkdirSync(folder, { mode: 0o755 });
  writeFileSync(join(folder, program), text);
  chmodSync(join(folder, program), 0o755);
  return wrapWith(bench, site, `with-${program}`, `${folder}:$PATH`);
}

/** Replaces a file's text. */
export function rewrite(file: string, change: (text: string) => string): Undo {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, change(text));
  return () => {
    writeFileSync(file, text);
  };
}

/** A standby of some other database, on the host of site b. */
export async function strangeStandby(
  bench: InputBench,
): Promise<{ readonly cluster: Cluster; readonly undo: Undo }> {
  const { host } = bench.lab.b;
  const port = await freePort([host]);
  const dir = join(ownedFolder(join(bench.lab.dir, "x")), "b");
  const cluster = await Cluster.create({ dir, site: "b", host, port });
  // As initdb left it: a standby may have no less than its primary had.
  appendFileSync(join(cluster.dataDirectory, "postgresql.conf"), "max_connections = 100\n");
  writeFileSync(join(cluster.dataDirectory, "standby.signal"), "");
  await cluster.start();
  return { cluster, undo: () => cluster.kill() };
}

/** Somebody else who streams from a site. */
export async function foreignReceiver(bench: InputBench, site: SiteId): Promise<Undo> {
  const { cluster, home, host } = bench.lab.sites[site];
  const to = `host=${host} port=${cluster.port} user=standby_replication`;
  const child = spawn(
    join(cluster.bindir, "pg_receivewal"),
    ["--directory", cluster.socketDirectory, "--dbname", to],
    {
      ...clusterOwner(),
      cwd: "/",
      env: { ...process.env, PGPASSFILE: join(home, ".pgpass") },
      stdio: "ignore",
    },
  );
  const senders = "select 1 from pg_stat_replication where application_name = 'pg_receivewal'";
  await until("it streams", 5000, async () => (await cluster.query(senders)).length > 0);
  return async () => {
    if (child.pid !== undefined) signalProcess(child.pid, "SIGKILL");
    await until("it is gone", 5000, async () => (await cluster.query(senders)).length === 0);
  };
}
