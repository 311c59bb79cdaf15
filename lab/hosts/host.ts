import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../postgres/processes";
import { runStatement } from "../postgres/statement";
import { runHere, type SiteRun } from "../site";
import { Disk, type Snapshot } from "./disk";
import type { Machine, Make } from "./make";
import { Link, type Address } from "./network";
import { Power } from "./power";
import { clearRemains } from "./remains";
import { room } from "./room";
import { CONSOLE, must, told } from "./run";
import type { Door } from "./door";

const BOOT_MS = 90_000;

/** What a host is made of. */
export interface HostOptions {
  readonly name: string;
  readonly address: Address;
  readonly make: Make;
  readonly borrowed: Readonly<Record<string, string>>;
}

/** One host of the lab, with an address, a disk and a pid 1 of its own. */
export class Host {
  readonly #power: Power;

  private constructor(
    readonly name: string,
    readonly address: Address,
    readonly make: Make,
    readonly disk: Disk,
    readonly link: Link,
    /** How the runner enters: a key pair and the host's pinned key. */
    readonly door: Door,
    machine: Machine,
  ) {
    this.#power = new Power(make, machine);
  }

  /** A host that is off; its disk is mounted. */
  static async create(options: HostOptions, door: Door): Promise<Host> {
    const { name, address, make, borrowed } = options;
    const folder = join(room().folder, "hosts", name);
    await clearRemains(folder, Link.device(name));
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
    return this.#power.pid;
  }

  /** How often it has booted, reboots of its own included. */
  get boots(): number {
    return this.#power.boots;
  }

  /** What the host has said on its console since it was made. */
  console(): string {
    return this.#power.console();
  }

  /** Boots the host with what its disk holds, and waits until it is up (bounded). `wait: false` returns at pid 1. */
  async powerOn({ wait = true } = {}): Promise<void> {
    await this.disk.mount();
    await this.#power.on();
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

  /** Power is lost: SIGKILL of pid 1, and with it of everything in the host. */
  powerOff(): Promise<void> {
    return this.#power.cut();
  }

  /** A person shuts it down; resolves when it is off. Without systemd the clusters are stopped first, then it is off. */
  async shutDown(): Promise<void> {
    this.#power.expectOff();
    if (this.make.name === "systemd") {
      await this.run(["systemctl", "poweroff", "--no-block"]);
      await this.#power.off();
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
  snapshot(): Promise<Snapshot> {
    return this.#power.held(() => this.disk.copy());
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

  /** Folder of its server's sockets as the room sees it: another one after each boot. */
  get socketFolder(): string {
    return `/proc/${this.pid ?? 0}/root/run/postgresql`;
  }

  /** One statement over the socket as superuser `root`, whom Debian's own `peer` rule lets in. */
  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
    { database = "postgres", port = 5432 } = {},
  ): Promise<Row[]> {
    const host = this.socketFolder;
    return runStatement<Row>({ host, port, user: "root", database }, sql, parameters);
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
    await this.#power.remove();
    await this.link.close();
    await this.disk.remove();
  }
}
