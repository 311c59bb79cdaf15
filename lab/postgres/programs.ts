/**
 * Where PostgreSQL's programs are, and as whom they run.
 *
 * PostgreSQL refuses to run as root. As root we therefore run everything as the user `postgres`;
 * as an ordinary user we run it as ourselves.
 */
import { execFile } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The server programs of one major version. */
export interface PostgresPrograms {
  readonly bindir: string;
  /** Server major, for example 15. */
  readonly version: number;
}

/** The user that owns the clusters, or `undefined` when that is already us. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const debianFolder = "/usr/lib/postgresql";

/**
 * Finds the newest server programs: Debian's folder first, then PATH.
 *
 * @throws when there are none; the text names the package to install.
 */
export function findPostgres(): PostgresPrograms {
  const debian = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const folders = debian
    .sort((left, right) => Number(right) - Number(left))
    .map((version) => join(debianFolder, version, "bin"))
    .concat((process.env["PATH"] ?? "").split(":"));
  const bindir = folders.find((folder) => existsSync(join(folder, "initdb")));
  if (bindir === undefined) {
    throw new Error(
      "PostgreSQL's server programs are missing\nHINT: apt-get install -y postgresql",
    );
  }
  return { bindir, version: majorOf(bindir) };
}

function majorOf(bindir: string): number {
  const fromFolder = Number(/postgresql\/(\d+)\/bin$/.exec(bindir)?.[1]);
  return Number.isNaN(fromFolder) ? 15 : fromFolder;
}

/** The owner to switch to; `undefined` when we are not root. */
export function clusterOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  const [, , uid, gid] = (line ?? "").split(":");
  if (uid === undefined || gid === undefined) {
    throw new Error("the user postgres is missing\nHINT: apt-get install -y postgresql");
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Makes a folder (and its parents) that belongs to the clusters' owner, mode 0700. */
export function ownedFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const owner = clusterOwner();
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  return path;
}

/** Makes a fresh folder under the temporary folder that belongs to the clusters' owner. */
export function temporaryFolder(prefix: string): string {
  return ownedFolder(mkdtempSync(join(tmpdir(), prefix)));
}

/**
 * Runs one program as the clusters' owner and gives its stdout.
 *
 * @throws with the program's stderr when it fails.
 */
export function runAsOwner(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      ...clusterOwner(),
      cwd: "/",
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
      maxBuffer: 64 * 1024 * 1024,
    };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} failed: ${stderr.trim() || error.message}`));
    });
  });
}
