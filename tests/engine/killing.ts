/** SIGKILL in the middle of a whole update, to the engine or to the program that it runs. */
import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unlock } from "../../cli/unlock";
import { packageRoot, type Tour } from "../../lab/tour";

/** An update in a process of its own. */
export interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
}

/** Starts an update; `onLine` hears of each step as it begins (`pre URN`) and ends (`done URN OK`). */
export function startUp(tour: Tour, onLine: (line: string, child: ChildProcess) => void): Run {
  const runner = join(packageRoot(), "tests", "engine", "upProcess.js");
  const child = spawn(process.execPath, [runner, tour.lab.dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let rest = "";
  child.stdout.on("data", (data: Buffer) => {
    const lines = (rest + data.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line, child);
  });
  return { child, exited: new Promise((resolve) => child.on("exit", resolve)) };
}

/** The update's own program: a child of the engine that runs the SDK's cmd/run. */
export function programOf(engine: number): number | undefined {
  const children = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return children.map(Number).find((pid) => {
    try {
      const parent = /^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
      return (
        Number(parent) === engine &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("cmd/run")
      );
    } catch {
      return false;
    }
  });
}

/** An engine that is killed cannot end its program, which ends by itself when the engine is gone. */
export type Victim = "engine" | "program";

/** Runs an update and kills the victim when this step begins. False: it did not come so far, or ended well all the same. */
export async function killedAt(tour: Tour, step: string, victim: Victim): Promise<boolean> {
  let killed = false;
  const { child, exited } = startUp(tour, (line, engine) => {
    if (killed || !line.startsWith("pre ") || !line.endsWith(`::shop-${step}`)) return;
    const pid = victim === "engine" ? engine.pid : programOf(engine.pid ?? 0);
    if (pid === undefined) return;
    killed = true;
    process.kill(pid, "SIGKILL");
  });
  await exited;
  return killed && child.exitCode !== 0;
}

/** What `standby unlock` gives for this stack. */
export function unlocked(tour: Tour): number {
  const talk = { say: () => undefined, complain: () => undefined };
  const state = join(tour.lab.dir, "stack");
  return unlock({ state, project: "demo", stack: "demo" }, talk);
}
