import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { until } from "../postgres/processes";
import { childrenOf } from "../processes";
import { runHere, type SiteRun } from "../site";
import { Disk, type Snapshot } from "./disk";
import type { Machine, Make } from "./make";
import { Link, type Address } from "./network";
import { room } from "./room";
import { must, told } from "./run";
import type { Door } from "./door";

const BOOT_MS = 90_000;
// Its exit status when the host asked for a reboot.
const REBOOT = 133;

/** What a host is made of. */
export interface HostOptions {
  readonly name: string;
  readonly address: Address;
  readonly make: Make;
  readonly borrowed: Readonly<Record<string, string>>;
}

/** One host of the lab, with an address, a disk and a pid 1 of its own. */
export class Host {
  readonly #group: string;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #pid = 0;
  #wanted = false;
  #boots = 0;

  private constructor(
    readonly name: string,
    readonly address: Address,
    readonly make: Make,
    readonly disk: Disk,
    readonly link: Link,
    /** How the runner enters: a key pair and the host's pinned key. */
    readonly door: Door,
    private readonly machine: Machine,
  ) {
    this.#group = join(room().cgroup, name);
    mkdirSync(this.#group, { recursive: true });
  }

  /** A host that is off; its disk is mounted. */
  static async create(options: HostOptions, door: Door): Promise<Host> {
    const { name, address, make, borrowed } = options;
    const folder = join(room().folder, "hosts", name);
    mkdirSync(folder, { recursive: true });
    const link = await Link.open(name, address, folder);
    const disk = new Disk(folder, room().tree);
    await disk.mount();
    const machine = { name, disk, network: link.namespace, borrowed };
    const host = new Host(name, address, make, disk, link, door, machine);
    make.install(disk.root);
    return host;
  }

  /** Process id of the host's pid 1, as the room sees it; undefined while it is off. */
  get pid(): number | undefined {
    return this.#process === undefined ? undefined : this.#pid;
  }

  /** How often it has booted, reboots of its own included. */
  get boots(): number {
    return this.#boots;
  }

  /** What the host has said on its console since it was made. */
  console(): string {
    return readFileSync(this.#consoleFile, "utf8");
  }

  get #consoleFile(): string {
    return join(this.disk.root, "..", "console");
  }

  /** Boots the host with what its disk holds, and waits until it is up (bounded). `wait: false` returns at pid 1. */
  async powerOn({ wait = true } = {}): Promise<void> {
    if (this.#process !== undefined) return;
    this.#wanted = true;
    await this.disk.mount();
    await this.#start();
    if (wait) await this.up();
  }

  /** Waits until everything that is enabled has been started. */
  async up(): Promise<void> {
    await until(`host ${this.name} is up`, BOOT_MS, async () => {
      return this.pid !== undefined && (await this.run(this.make.isUp)).exitCode === 0;
    }).catch((error: unknown) => {
      const tail = this.console().split("\n").slice(-20).join("\n");
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${tail}`);
    });
  }

  async #start(): Promise<void> {
    const enter = ["sh", "-c", 'echo "$$" >"$0/cgroup.procs" && exec "$@" >>"$CONSOLE" 2>&1'];
    const [program = "", ...args] = [...enter, this.#group, ...this.make.command(this.machine)];
    const env = { PATH: process.env["PATH"], CONSOLE: this.#consoleFile };
    const child = spawn(program, args, { cwd: "/", env, detached: true, stdio: "ignore" });
    this.#process = child;
    this.#boots += 1;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code) => {
        this.#process = undefined;
        if (code === REBOOT && this.#wanted) void this.#start().then(resolve, resolve);
        else resolve();
      });
    });
    await until(`host ${this.name} has a pid 1`, 10_000, () => {
      this.#pid = childrenOf(child.pid ?? 0).find(isFirst) ?? 0;
      return this.#pid !== 0;
    });
  }

  /** Power is lost: SIGKILL of pid 1, and with it of everything in the host. */
  async powerOff(): Promise<void> {
    this.#wanted = false;
    if (this.#process !== undefined && this.#pid !== 0) process.kill(this.#pid, "SIGKILL");
    await this.#ended;
  }

  /** A person shuts it down; resolves when it is off. Without systemd the clusters are stopped first, then it is off. */
  async shutDown(): Promise<void> {
    this.#wanted = false;
    if (this.make.name === "systemd") {
      await this.run(["systemctl", "poweroff", "--no-block"]);
      await this.#ended;
      return;
    }
    await this.run([
      "sh",
      "-c",
      "pg_lsclusters -h | while read -r v c _; do pg_ctlcluster $v $c stop -m fast; done",
    ]);
    await this.powerOff();
  }

  /** A provider's snapshot: the host stands still for the copy, and nothing in it is told. */
  async snapshot(): Promise<Snapshot> {
    const frozen = this.#process !== undefined;
    if (frozen) await this.#freeze("1");
    try {
      return await this.disk.copy();
    } finally {
      if (frozen) await this.#freeze("0");
    }
  }

  async #freeze(value: "0" | "1"): Promise<void> {
    writeFileSync(join(this.#group, "cgroup.freeze"), value);
    await until(`host ${this.name} is frozen: ${value}`, 5000, () =>
      readFileSync(join(this.#group, "cgroup.events"), "utf8").includes(`frozen ${value}`),
    );
  }

  /** An older disk: power is lost, the disk is put back, and the host stays off. */
  async rollBack(snapshot: Snapshot): Promise<void> {
    await this.powerOff();
    await this.disk.putBack(snapshot);
  }

  /** The network is cut, both ways, at the host's link; whoever is inside goes on. */
  cut(): Promise<void> {
    return this.link.cut();
  }

  mend(): Promise<void> {
    return this.link.mend();
  }

  /** Runs a program inside as root, as from the console: cuts and a dead sshd do not matter. 255 while it is off. */
  async run(command: readonly string[], input = ""): Promise<SiteRun> {
    if (this.pid === undefined) {
      return { exitCode: 255, stdout: "", stderr: `host ${this.name} is off\n` };
    }
    // Its processes belong to the host's control group, so that a snapshot holds them still, too.
    const spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
    const enter = ["nsenter", "--target", String(this.pid), ...spaces, "--"];
    return runHere([...enter, "env", "-i", ...CONSOLE, ...command], input);
  }

  /** The same, where it must succeed; gives its stdout. */
  async must(command: readonly string[], input = ""): Promise<string> {
    const ran = await this.run(command, input);
    if (ran.exitCode !== 0) throw new Error(`host ${this.name}: ${told(command, ran)}`);
    return ran.stdout;
  }

  /** Runs a shell command line over ssh, as the runner does: with a login session, and not while the host is cut. */
  ssh(line: string, input = ""): Promise<SiteRun> {
    return runHere(["ssh", ...this.door.options(this), `root@${this.address.v4}`, line], input);
  }

  /** One statement over the socket as superuser `root`, whom Debian's own `peer` rule lets in. */
  async query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
    { database = "postgres", port = 5432 } = {},
  ): Promise<Row[]> {
    const host = `/proc/${this.pid ?? 0}/root/run/postgresql`;
    const client = new Client({
      host,
      port,
      user: "root",
      database,
      connectionTimeoutMillis: 5000,
    });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql, [...parameters])).rows;
    } finally {
      await client.end();
    }
  }

  /** Writes a file on the host, running or off; an absolute path that leads through no symlink. */
  async writeFile(
    path: string,
    text: string,
    { mode = "0644", owner = "root" } = {},
  ): Promise<void> {
    const write = 'mkdir -p "${1%/*}" && cat >"$1" && chown "$3" "$1" && chmod "$2" "$1"';
    const command = ["sh", "-c", write, "sh", path, mode, owner];
    if (this.pid === undefined) await must(["chroot", this.disk.root, ...command], text);
    else await this.must(command, text);
  }

  async readFile(path: string): Promise<string> {
    const command = ["cat", "--", path];
    if (this.pid === undefined) return must(["chroot", this.disk.root, ...command]);
    return this.must(command);
  }

  /** Ends it and removes disk and network. */
  async remove(): Promise<void> {
    await this.powerOff();
    await this.link.close();
    await this.disk.remove();
    await must(["sh", "-c", 'find "$1" -depth -type d -exec rmdir {} +', "sh", this.#group]);
  }
}

const CONSOLE = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LANG=C.UTF-8",
];

/** Is it pid 1 of the namespace it lives in? */
function isFirst(pid: number): boolean {
  try {
    return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
