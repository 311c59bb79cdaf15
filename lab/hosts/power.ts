import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../postgres/processes";
import { childrenOf } from "../processes";
import type { Machine, Make } from "./make";
import { room } from "./room";
import { must } from "./run";

// Exit status of systemd-nspawn when the host asked for a reboot.
const REBOOT = 133;

/** The power switch of a host: its pid 1 and all that lives below it. */
export class Power {
  /** Control group of the host: two that shared one would see each other's units. */
  readonly #group: string;
  readonly #consoleFile: string;
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #pid = 0;
  #wanted = false;
  #boots = 0;

  constructor(
    private readonly make: Make,
    private readonly machine: Machine,
  ) {
    this.#group = join(room().cgroup, machine.name);
    this.#consoleFile = join(machine.disk.root, "..", "console");
    mkdirSync(this.#group, { recursive: true });
  }

  /** Process id of the host's pid 1, as the room sees it; undefined while it is off. */
  get pid(): number | undefined {
    return this.#process === undefined || this.#pid === 0 ? undefined : this.#pid;
  }

  get boots(): number {
    return this.#boots;
  }

  console(): string {
    return existsSync(this.#consoleFile) ? readFileSync(this.#consoleFile, "utf8") : "";
  }

  /** Returns when the host has a pid 1. From now on a reboot that it asks for is followed. */
  async on(): Promise<void> {
    if (this.#process !== undefined) return;
    this.#wanted = true;
    await this.#start();
  }

  async #start(): Promise<void> {
    const { name } = this.machine;
    const enter = ["sh", "-c", 'echo "$$" >"$0/cgroup.procs" && exec "$@" >>"$CONSOLE" 2>&1'];
    // No host outlives the process that it was made by: another one may want its name and address.
    const dies = ["setpriv", "--pdeathsig", "KILL", "--"];
    const host = [...enter, this.#group, ...dies, ...this.make.command(this.machine)];
    const [program = "", ...args] = host;
    const env = { PATH: process.env["PATH"], CONSOLE: this.#consoleFile };
    const child = spawn(program, args, { cwd: "/", env, detached: true, stdio: "ignore" });
    this.#process = child;
    this.#pid = 0;
    this.#boots += 1;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code) => {
        this.#process = undefined;
        if (code === REBOOT && this.#wanted)
          void this.#start()
            .then(() => this.#ended)
            .then(resolve, resolve);
        else resolve();
      });
    });
    await until(`host ${name} has a pid 1`, 10_000, () => {
      this.#pid = childrenOf(child.pid ?? 0).find(isFirst) ?? 0;
      return this.#pid !== 0;
    });
  }

  /** SIGKILL of pid 1, and with it of everything in the host. */
  async cut(): Promise<void> {
    const { pid } = this;
    this.expectOff();
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await this.off();
  }

  /** From now on a reboot that the host asks for is not followed. */
  expectOff(): void {
    this.#wanted = false;
  }

  /** Resolves when it is off. */
  off(): Promise<void> {
    return this.#ended;
  }

  /** Everything in the host stands still meanwhile, and is not told. */
  async held<T>(act: () => Promise<T>): Promise<T> {
    if (this.pid === undefined) return act();
    await this.#freeze("1");
    try {
      return await act();
    } finally {
      await this.#freeze("0");
    }
  }

  async #freeze(value: "0" | "1"): Promise<void> {
    writeFileSync(join(this.#group, "cgroup.freeze"), value);
    await until(`host ${this.machine.name}: frozen ${value}`, 5000, () =>
      readFileSync(join(this.#group, "cgroup.events"), "utf8").includes(`frozen ${value}`),
    );
  }

  /** Removes what the host leaves in the machine's control groups. */
  async remove(): Promise<void> {
    await this.cut();
    await must(["sh", "-c", 'find "$1" -depth -type d -exec rmdir {} +', "sh", this.#group]);
  }
}

/** Is it pid 1 of the namespace it lives in? */
function isFirst(pid: number): boolean {
  try {
    return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
