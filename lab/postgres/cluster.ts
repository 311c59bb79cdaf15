/**
 * One real PostgreSQL cluster of the lab: data, sockets and the site's state folder.
 *
 * The first postmaster is a child of this process, so that it is reaped when it is killed. Later
 * ones are started by the verbs and belong to nobody: they are found by postmaster.pid and by the
 * processes that work in the data folder.
 */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isAlive, processesIn, removeSegment, signalProcess, until } from "./processes";
import { clusterOwner, findPostgres, ownedFolder, runAsOwner } from "./programs";
import { runStatement } from "./statement";

export { findPostgres, temporaryFolder } from "./programs";
export type { PostgresPrograms } from "./programs";

/** What makes a cluster; both sites may use the same port, on different addresses. */
export interface ClusterOptions {
  /** Folder of the site; `data`, `run` (sockets) and `state` are made below it. Keep it short: a socket's path ends at 107 bytes. */
  readonly dir: string;
  readonly site: string;
  /** Address to listen on, in 127.0.0.0/8. */
  readonly host: string;
  readonly port: number;
  /** @default "postgres" */
  readonly superuser?: string;
}

export type StopMode = "fast" | "immediate" | "smart";

const stopSignals = { fast: "SIGINT", immediate: "SIGQUIT", smart: "SIGTERM" } as const;

/** Trust for the superuser keeps the lab's clients short; everyone else shows a password. */
function hostRules(superuser: string): string {
  return [
    "local all all trust",
    `host all ${superuser} 127.0.0.0/8 trust`,
    "host all all 127.0.0.0/8 scram-sha-256",
    "host replication all 127.0.0.0/8 scram-sha-256",
    "",
  ].join("\n");
}

const commonSettings = `
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
max_connections = 60
fsync = on
password_encryption = scram-sha-256
logging_collector = off
log_line_prefix = '%m [%p] '
`;

export class Cluster {
  readonly site: string;
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly bindir: string;
  readonly dir: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly stateDirectory: string;

  private static readonly templates = new Map<string, Promise<string>>();

  /** Describes a cluster; the data folder need not exist (an empty site is seeded later). */
  constructor(options: ClusterOptions) {
    this.site = options.site;
    this.host = options.host;
    this.port = options.port;
    this.superuser = options.superuser ?? "postgres";
    this.bindir = findPostgres().bindir;
    this.dir = ownedFolder(options.dir);
    this.dataDirectory = join(options.dir, "data");
    this.socketDirectory = ownedFolder(join(options.dir, "run"));
    this.stateDirectory = join(options.dir, "state");
  }

  /**
   * A cluster with data, not started. Clusters below one parent folder are copies of one template
   * and share its system identifier.
   */
  static async create(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    const template = await Cluster.template(dirname(options.dir), cluster.superuser);
    await runAsOwner("cp", ["-a", template, cluster.dataDirectory]);
    cluster.configure();
    return cluster;
  }

  /**
   * The data folder that `initdb` made once for all clusters below `parent`; whoever removes
   * `parent` removes it too.
   */
  static template(parent: string, superuser = "postgres"): Promise<string> {
    const key = join(parent, `template-${superuser}`);
    const known = Cluster.templates.get(key) ?? Cluster.initialise(key, superuser);
    Cluster.templates.set(key, known);
    return known;
  }

  private static async initialise(data: string, superuser: string): Promise<string> {
    const options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
    await runAsOwner(join(findPostgres().bindir, "initdb"), [
      `--pgdata=${data}`,
      `--username=${superuser}`,
      ...options,
    ]);
    appendFileSync(join(data, "postgresql.conf"), commonSettings);
    return data;
  }

  private configure(): void {
    const own = [
      `listen_addresses = '${this.host}'`,
      `port = ${this.port}`,
      `unix_socket_directories = '${this.socketDirectory}'`,
      "",
    ];
    appendFileSync(join(this.dataDirectory, "postgresql.conf"), own.join("\n"));
    const rules = join(this.dataDirectory, "pg_hba.conf");
    rmSync(rules);
    appendFileSync(rules, hostRules(this.superuser), { mode: 0o600 });
    this.own(rules);
  }

  private own(path: string): void {
    const owner = clusterOwner();
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  }

  /** Starts the postmaster as a child of this process and waits until it takes connections. */
  async start(withinMs = 30_000): Promise<void> {
    if (this.pid() !== undefined) return;
    this.clearStaleLocks();
    const log = openSync(join(this.dir, "postgres.log"), "a");
    const child = spawn(join(this.bindir, "postgres"), ["-D", this.dataDirectory], {
      ...clusterOwner(),
      cwd: "/",
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.unref();
    await until(`site ${this.site} takes connections`, withinMs, () =>
      this.isReady(child.exitCode),
    );
  }

  private isReady(exitCode: number | null): boolean {
    if (exitCode !== null) throw new Error(`site ${this.site}: ended at once:\n${this.logTail()}`);
    const status = this.pidFile()[7]?.trim();
    return status === "ready" || status === "standby";
  }

  /** The last lines of the log of postmasters that were started here. */
  logTail(lines = 20): string {
    const path = join(this.dir, "postgres.log");
    if (!existsSync(path)) return "";
    return readFileSync(path, "utf8").split("\n").slice(-lines).join("\n");
  }

  /** Ends the postmaster, whoever started it, and waits until all its processes are gone. */
  async stop(mode: StopMode = "fast", withinMs = 30_000): Promise<void> {
    const pid = this.pid();
    if (pid !== undefined) signalProcess(pid, stopSignals[mode]);
    await this.waitUntilGone(withinMs);
  }

  /** SIGKILL to the postmaster and to every process that works in the data folder. */
  async kill(): Promise<void> {
    const pid = this.pid();
    const lockFile = this.pidFile();
    if (pid !== undefined) signalProcess(pid, "SIGKILL");
    for (const each of processesIn(this.dataDirectory)) signalProcess(each, "SIGKILL");
    await this.waitUntilGone(10_000);
    removeSegment(lockFile);
  }

  private async waitUntilGone(withinMs: number): Promise<void> {
    await until(`site ${this.site} has stopped`, withinMs, () => {
      return this.pid() === undefined && processesIn(this.dataDirectory).length === 0;
    });
  }

  /** Process id of the live postmaster, or `undefined`. A zombie counts as dead. */
  pid(): number | undefined {
    const pid = Number(this.pidFile()[0]);
    return Number.isInteger(pid) && pid > 0 && isAlive(pid) ? pid : undefined;
  }

  private pidFile(): string[] {
    try {
      return readFileSync(join(this.dataDirectory, "postmaster.pid"), "utf8").split("\n");
    } catch {
      return [];
    }
  }

  /** A killed postmaster leaves its lock files; they block the next start where a zombie keeps the pid. */
  private clearStaleLocks(): void {
    if (processesIn(this.dataDirectory).length > 0) return;
    rmSync(join(this.dataDirectory, "postmaster.pid"), { force: true });
    rmSync(join(this.socketDirectory, `.s.PGSQL.${this.port}`), { force: true });
    rmSync(join(this.socketDirectory, `.s.PGSQL.${this.port}.lock`), { force: true });
  }

  /** Runs one statement as superuser over the socket, on a connection of its own. */
  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
    database = "postgres",
  ): Promise<Row[]> {
    const { socketDirectory: host, port, superuser: user } = this;
    return runStatement<Row>({ host, port, user, database }, sql, parameters);
  }

  /** pg_controldata as label -> value, untranslated and in UTC. */
  async controlData(): Promise<ReadonlyMap<string, string>> {
    const text = await runAsOwner(join(this.bindir, "pg_controldata"), [this.dataDirectory]);
    const pairs = text.split("\n").map((line) => /^([^:]+):\s*(.*)$/.exec(line));
    return new Map(
      pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? "", pair[2] ?? ""]])),
    );
  }
}
