import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SiteId } from "../plan/terms";
import type { AppSettings } from "./app/settings";
import type { InstalledApp } from "./app/install";
import type { Cluster } from "./postgres/cluster";
import { signalProcess, until } from "./postgres/processes";
import { clusterOwner, inspectFolder, ownedFolder, runAsOwner } from "./postgres/programs";
import { freezeSenders, caughtUp } from "./lostPrimary";
import type { CellSite, DescribedSite, TourSite } from "./place";
import { commandLine, killUnder, processesOf, processesUnder } from "./processes";
import { KEEP_GUARD, LAB_SERVICES, serviceText } from "./services";
import { startSshd, type SshServer } from "./sshd";

/** What a command at a site did. */
export interface SiteRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One site of the lab: a folder, a database, an application, and a door that can be shut. */
export class LabSite implements CellSite {
  readonly services = LAB_SERVICES;
  /** Home folder of the user that everything at the site runs as. */
  readonly home: string;
  /** Executable that runs its arguments at the site, or exits 255 while the site is cut. */
  readonly wrap: string;
  readonly #cutMark: string;
  #keeper: ChildProcess | undefined;
  #sshServer: SshServer | undefined;

  constructor(
    readonly id: SiteId,
    readonly host: string,
    readonly webPort: number,
    readonly cluster: Cluster,
    app: InstalledApp,
  ) {
    this.home = ownedFolder(join(this.dir, "home"));
    this.wrap = join(dirname(this.dir), `enter-${id}`);
    this.#cutMark = join(dirname(this.dir), `cut-${id}`);
    this.#writeProgram(this.wrap, this.#wrapText());
    this.#writeProgram(join(this.home, "service"), serviceText(this.home, app));
    writeFileSync(join(this.home, "settings.json"), JSON.stringify(this.#settings()), {
      mode: 0o644,
    });
  }

  get dir(): string {
    return this.cluster.dir;
  }

  /** Runs a program at the site, as the runner would over ssh. */
  run(
    command: readonly string[],
    input = "",
    environment: Readonly<Record<string, string>> = {},
  ): Promise<SiteRun> {
    return runHere([this.wrap, ...command], input, environment);
  }

  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.cluster.query<Row>(sql, parameters);
  }

  async lose(peer: TourSite): Promise<void> {
    await caughtUp(this, peer);
    freezeSenders(this.cluster);
    this.cut();
  }

  powerOff(): Promise<void> {
    return this.killAll();
  }

  async powerOn(): Promise<string> {
    const { exitCode, stdout, stderr } = await this.boot();
    if (exitCode !== 0) throw new Error(`site ${this.id} does not boot: ${stderr}`);
    return `${stdout}${stderr}`;
  }

  get folders(): { readonly data: string; readonly state: string } {
    return { data: this.cluster.dataDirectory, state: this.cluster.stateDirectory };
  }

  describe(): DescribedSite {
    const { port, dataDirectory, stateDirectory, socketDirectory, superuser, bindir } =
      this.cluster;
    return {
      ...{ stateDirectory, enter: `'${this.wrap}' sh -c "$1"`, enterLine: this.wrap },
      database: { port, dataDirectory, superuser, socketDirectory, binDirectory: bindir },
    };
  }

  killServer(): Promise<void> {
    return this.killAll();
  }

  startServer(withinMs?: number): Promise<void> {
    return this.cluster.start(withinMs);
  }

  stopServer(): Promise<void> {
    return this.cluster.stop();
  }

  isServerUp(): boolean {
    return this.cluster.pid() !== undefined;
  }

  /** The verbs run as an ordinary user here, whom this stops as a full disk does. */
  fillDisk(): void {
    chmodSync(this.cluster.stateDirectory, 0o500);
  }

  emptyDisk(): void {
    chmodSync(this.cluster.stateDirectory, 0o700);
  }

  runningServices(): number {
    const settings = join(this.home, "settings.json");
    return processesUnder(this.home).filter((pid) => commandLine(pid).includes(settings)).length;
  }

  inspect(program: string, args: readonly string[]): Promise<string> {
    return inspectFolder(join(this.cluster.bindir, program), args, this.cluster.dataDirectory);
  }

  askDisk(sql: string): Promise<string> {
    const shell = 'echo "$1" | "$2" --single -D "$3" postgres 2>/dev/null';
    const { bindir, dataDirectory } = this.cluster;
    return runAsOwner("sh", ["-c", shell, "sh", sql, join(bindir, "postgres"), dataDirectory]);
  }

  /** Shuts the door: nothing new enters the site, what runs there goes on. */
  cut(): void {
    writeFileSync(this.#cutMark, "");
  }

  /** Opens the door again. */
  mend(): void {
    rmSync(this.#cutMark, { force: true });
  }

  /**
   * From now on the guard runs here as a plain process, as soon as it is installed, and again whenever it ends.
   * Nothing watches over it as a service manager would, and so it reports `supervised=no`.
   */
  keepGuard(): void {
    if (this.#keeper !== undefined) return;
    const program = ["sh", "-c", KEEP_GUARD, "sh", join(this.cluster.stateDirectory, "guard")];
    this.#keeper = spawn(this.wrap, program, {
      ...{ cwd: this.home, detached: true, stdio: "ignore" },
      env: { ...process.env, STANDBY_LAB_INSIDE: "yes" },
    });
    this.#keeper.on("error", () => undefined);
    this.#keeper.unref();
  }

  /** From now on the stack's configuration leads here by ssh, through a real server and this login shell. */
  async openSsh(shell = "sh"): Promise<void> {
    this.#sshServer ??= await startSshd(join(this.dir, "sshd"), this.host, this.wrap, shell);
  }

  get sshServer(): SshServer | undefined {
    return this.#sshServer;
  }

  /** What the running guard has said. */
  guardLog(): string {
    const file = join(this.home, "guard.log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** The host dies: SIGKILL to the database, the application and every script at the site. */
  async killAll(): Promise<void> {
    this.#sshServer?.stop();
    this.#sshServer = undefined;
    // The guard first, and it works in /: it would start again what dies here.
    await killUnder(this.home);
    await this.#killGuard();
    await this.cluster.kill();
    await killUnder(this.dir);
  }

  async #killGuard(): Promise<void> {
    const guard = join(this.cluster.stateDirectory, "guard");
    await until(`no guard of site ${this.id} runs`, 5000, () => {
      const pids = processesOf(guard);
      for (const pid of pids) signalProcess(pid, "SIGKILL");
      return pids.length === 0;
    });
  }

  /**
   * What the host does when power returns: the guard, if one is installed, and nothing else. It acts
   * while the site is cut from the runner, too.
   */
  async boot(): Promise<SiteRun> {
    const guard = join(this.cluster.stateDirectory, "guard");
    if (!existsSync(guard)) return { exitCode: 0, stdout: "", stderr: "no guard is installed\n" };
    const booted = await this.run([guard, "boot"], "", { STANDBY_LAB_INSIDE: "yes" });
    if (this.#keeper !== undefined) {
      this.#keeper = undefined;
      this.keepGuard();
    }
    return booted;
  }

  /** Runs one of the application's own commands, as a person at the site would. */
  service(verb: "start" | "stop" | "healthy", name: string): Promise<SiteRun> {
    return this.run([join(this.home, "service"), verb, name]);
  }

  #settings(): AppSettings {
    const { port, superuser, stateDirectory } = this.cluster;
    return {
      site: this.id,
      host: this.host,
      webPort: this.webPort,
      database: { host: this.host, port, user: superuser, name: "postgres" },
      maintenanceFile: join(stateDirectory, "maintenance"),
    };
  }

  #writeProgram(path: string, text: string): void {
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  // A fresh login has none of the caller's PostgreSQL variables, and its own home. What the host does by
  // itself (boot) does not come through the door.
  #wrapText(): string {
    const owner = clusterOwner();
    const become =
      owner === undefined
        ? ""
        : `setpriv --reuid=${owner.uid} --regid=${owner.gid} --clear-groups -- `;
    return `#!/bin/sh
# Enters site ${this.id} of the lab, as ssh would enter a host.
if [ -e '${this.#cutMark}' ] && [ -z "\${STANDBY_LAB_INSIDE:-}" ]; then
  echo 'site ${this.id}: not reached, the lab has cut it off' >&2
  exit 255
fi
unset STANDBY_LAB_INSIDE PGHOST PGPORT PGUSER PGDATABASE PGPASSFILE PGDATA PGOPTIONS
STANDBY_UNITS=none HOME='${this.home}' PATH='${this.cluster.bindir}':"$PATH"
export STANDBY_UNITS HOME PATH
cd "$HOME" || exit 255
exec ${become}"$@"
`;
  }
}

/** Runs a program on this machine and collects what it says. */
export function runHere(
  [program = "true", ...args]: readonly string[],
  input = "",
  environment: Readonly<Record<string, string>> = {},
): Promise<SiteRun> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, STANDBY_UNITS: "none", ...environment };
    const child = spawn(program, args, { cwd: "/", env, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => undefined).end(input);
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ exitCode: code ?? 128, stdout, stderr });
    });
  });
}
