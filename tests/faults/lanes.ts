import { fork, type ChildProcess } from "node:child_process";
import { memoryFolder } from "./memory";
import type { CellResult } from "./runCell";

/** Lanes are processes of their own, each with a pair of its own; each takes the next cell when it is free. */

/** What a lane is told, and what it tells. */
export type ToLane = { readonly run: string; readonly seed: number } | { readonly end: true };
export type FromLane =
  | { readonly ready: true }
  /** Its place stands, the cell itself begins. */
  | { readonly begun: string }
  | { readonly result: CellResult };

/** What is to be run, and how long it may take. */
export interface Errand {
  readonly program: string;
  /** Arguments of a lane. */
  readonly args: readonly string[];
  readonly seed: number;
  /** For each lane the queues that it takes from, in this order; lanes may share a queue. */
  readonly lanes: readonly (readonly string[][])[];
  /** When no cell begins any more, in milliseconds since 1970. */
  readonly until: number;
  readonly tell: (result: CellResult) => void;
}

/** Seconds that a lane may take to build its place, and that a cell may take. Whatever takes longer is ended and red. */
const LIMITS = { place: 240, cell: 240 };

/** Runs all cells; a lane that dies or hangs loses its cell, which counts as red, and is replaced. */
export async function runInLanes(errand: Errand): Promise<readonly CellResult[]> {
  const results: CellResult[] = [];
  const tell = (result: CellResult): void => {
    results.push(result);
    errand.tell(result);
  };
  const lane = async (queues: readonly string[][]): Promise<void> => {
    while (queues.some((queue) => queue.length > 0)) {
      if (Date.now() < errand.until) await oneLane(errand, queues, tell);
      else
        for (const id of drained(queues)) tell(red(id, "the run's time was over before it began"));
    }
  };
  await Promise.all(errand.lanes.map(lane));
  return results;
}

function drained(queues: readonly string[][]): readonly string[] {
  return queues.flatMap((queue) => queue.splice(0));
}

function oneLane(
  { program, args, seed, until }: Errand,
  queues: readonly string[][],
  tell: (result: CellResult) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const child = fork(program, [...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, TMPDIR: memoryFolder() },
    });
    let running: string | undefined;
    let timer: NodeJS.Timeout | undefined;
    let why: string | undefined;
    const within = (seconds: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        why = `no end within ${seconds} s`;
        child.kill("SIGKILL");
      }, seconds * 1000);
    };
    const next = (): void => {
      running = Date.now() < until ? queues.find((queue) => queue.length > 0)?.shift() : undefined;
      within(LIMITS.place);
      send(child, running === undefined ? { end: true } : { run: running, seed });
    };
    within(LIMITS.place);
    child.on("message", (message: FromLane) => {
      if ("begun" in message) {
        within(LIMITS.cell);
        return;
      }
      if ("result" in message) tell(message.result);
      next();
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      why ??= `the lane ended with ${String(code)}`;
      // One that could not even begin takes a cell with it, so that this comes to an end.
      const lost =
        running ?? (code === 0 ? undefined : queues.find((one) => one.length > 0)?.shift());
      if (lost !== undefined) tell(red(lost, why));
      resolve();
    });
  });
}

function red(id: string, why: string): CellResult {
  return { id, verdict: "-", red: [why], seconds: 0, updates: 0, story: "" };
}

function send(child: ChildProcess, message: ToLane): void {
  if (child.connected) child.send(message);
}
