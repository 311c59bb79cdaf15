import { readFileSync } from "node:fs";
import { childrenOf } from "../lab/processes";
import type { Quantiles } from "./statistics";
import { quantiles } from "./statistics";

/** What the processes of one kind took. */
export interface Usage {
  /** Largest resident size of any one process, in megabytes. */
  readonly peakRssMb: number;
  /** Processor time of one flip under load, user and system, in milliseconds. */
  readonly cpuMs: Quantiles;
}

interface Seen {
  peakKb: number;
  cpuMs: number;
}

// Kernel ticks are hundredths of a second on every Linux that Node runs on.
const TICK_MS = 10;
const LOOK_EACH_MS = 100;

/**
 * Looks at the processes below this one while updates run: the program, which either engine starts by the SDK's cmd/run,
 * and the engine, which is `pulumi` and its plugins, or this very process with its clients and the emulator on the lab's.
 */
export class UsageWatch {
  readonly #program: Seen[] = [];
  readonly #engine: Seen[] = [];

  constructor(private readonly kind: "lab" | "pulumi") {}

  /** Runs `work`, one update, and notes what was used meanwhile. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const programs = new Map<number, Seen>();
    const engines = new Map<number, Seen>();
    const before = process.cpuUsage();
    const look = () => {
      // Looking at every process takes time from the outage that is measured: no more once the only one is known.
      const all = this.kind === "pulumi" || programs.size === 0;
      for (const pid of all ? below(process.pid) : programs.keys()) {
        const command = read(`/proc/${pid}/cmdline`);
        if (command.includes("/@pulumi/pulumi/cmd/run")) note(pid, programs);
        else if (/(^|\/)pulumi[^/\0]*\0/.test(command)) note(pid, engines);
      }
    };
    const timer = setInterval(look, LOOK_EACH_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      const { user, system } = process.cpuUsage(before);
      const own = { peakKb: process.resourceUsage().maxRSS, cpuMs: (user + system) / 1000 };
      this.#program.push(sum(programs));
      this.#engine.push(this.kind === "lab" ? own : sum(engines));
    }
  }

  get program(): Usage {
    return usage(this.#program);
  }
  get engine(): Usage {
    return usage(this.#engine);
  }
}

function usage(seen: readonly Seen[]): Usage {
  const peak = Math.max(0, ...seen.map((one) => one.peakKb));
  return {
    peakRssMb: Math.round(peak / 1024),
    cpuMs: quantiles(seen.map((one) => Math.round(one.cpuMs))),
  };
}

function sum(processes: ReadonlyMap<number, Seen>): Seen {
  const all = [...processes.values()];
  return {
    peakKb: Math.max(0, ...all.map((one) => one.peakKb)),
    cpuMs: all.reduce((total, one) => total + one.cpuMs, 0),
  };
}

function note(pid: number, into: Map<number, Seen>): void {
  const peak = /^VmHWM:\s+([0-9]+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (peak === undefined) return; // it ended between the two looks
  const ticks = Number(fields[11]) + Number(fields[12]);
  into.set(pid, { peakKb: Number(peak), cpuMs: ticks * TICK_MS });
}

/** All descendants of a process. */
function below(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...below(child)]);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}
