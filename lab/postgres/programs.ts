/**
 * Where PostgreSQL's programs are, and as whom they run.
 *
 * PostgreSQL refuses to run as root. As root we therefore run everything as the user `postgres`;
 * as an ordinary user we run it as ourselves.
 */
import { execFile, execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
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

const DEBIAN = "/usr/lib/postgresql";

/** Where the set-up unpacks the majors that Debian's folder lacks; readable for the clusters' owner. */
export function majorsFolder(): string {
  const own = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(process.getuid?.() === 0 ? "/var/cache" : own, "pulumi-standby", "postgres");
}

/**
 * Finds the server programs: those that STANDBY_POSTGRES names (a major such as 17, or a folder that holds `initdb`);
 * otherwise the newest in Debian's folder, then PATH.
 *
 * @throws when there are none; the text names what to do.
 */
export function findPostgres(): PostgresPrograms {
  const wanted = process.env["STANDBY_POSTGRES"] ?? "";
  const folders = wanted === "" ? usualFolders() : foldersOf(wanted);
  const bindir = folders.find((folder) => existsSync(join(folder, "initdb")));
  if (bindir !== undefined) return { bindir, version: majorOf(bindir) };
  if (wanted === "") {
    throw new Error(
      "PostgreSQL's server programs are missing\nHINT: apt-get install -y postgresql",
    );
  }
  throw new Error(
    `STANDBY_POSTGRES=${wanted}: no initdb in ${folders.join(", ")}\nHINT: node lab/setup/majors.js ${wanted}`,
  );
}

function usualFolders(): readonly string[] {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  return debian
    .sort((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN, version, "bin"))
    .concat((process.env["PATH"] ?? "").split(":"));
}

function foldersOf(wanted: string): readonly string[] {
  if (!/^\d+$/.test(wanted)) return [wanted];
  return [DEBIAN, majorsFolder()].map((root) => join(root, wanted, "bin"));
}

/** Whether a verb finds these programs by itself. */
export function isDebians(bindir: string): boolean {
  return bindir.startsWith(`${DEBIAN}/`);
}

/** One line for whoever reads the output: which server runs, and from where. */
export function postgresBanner(): string {
  const { bindir, version } = findPostgres();
  return `PostgreSQL ${version} (${bindir})`;
}

const majors = new Map<string, number>();

/** Asked of the server itself: a folder may have any name. */
function majorOf(bindir: string): number {
  const known = majors.get(bindir);
  if (known !== undefined) return known;
  const said = execFileSync(join(bindir, "postgres"), ["--version"], { encoding: "utf8" });
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(said)?.[1]);
  if (!(major > 0)) throw new Error(`${bindir}/postgres names no version: ${said.trim()}`);
  majors.set(bindir, major);
  return major;
}

/** Labels untranslated, times in UTC. */
const PLAIN = { LC_ALL: "C", TZ: "UTC" };

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
      env: { ...process.env, ...PLAIN },
      maxBuffer: 64 * 1024 * 1024,
    };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} failed: ${stderr.trim() || error.message}`));
    });
  });
}

/** Runs a program that looks at a data folder, in that folder. Gives its stdout, however it ends. */
export function inspectFolder(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<string> {
  return new Promise((resolve) => {
    const options = {
      ...clusterOwner(),
      cwd,
      env: { ...process.env, ...PLAIN },
      maxBuffer: 256 * 1024 * 1024,
    };
    execFile(command, [...args], options, (_error, stdout) => {
      resolve(stdout);
    });
  });
}
