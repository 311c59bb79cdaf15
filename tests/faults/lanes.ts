import { fork, type ChildProcess } from "node:child_process";
import type { CellResult } from "./runCell";

/** Lanes are processes of their own, each with a pair of its own; each takes the next cell when it is free. */

/** What a lane is told, and what it tells. */
export type ToLane = { readonly run: string; readonly seed: number } | { readonly end: true };
export type FromLane = { readonly ready: true } | { readonly result: CellResult };

/** Runs all cells in `count` lanes; a lane that dies loses its cell, which counts as red, and is replaced. */
export async function runInLanes(
  program: string,
  ids: readonly string[],
  seed: number,
  count: number,
  tell: (result: CellResult) => void,
): Promise<readonly CellResult[]> {
  const waiting = [...ids];
  const results: CellResult[] = [];
  const lane = async (): Promise<void> => {
    while (waiting.length > 0) {
      await oneLane(program, waiting, seed, (result) => {
        results.push(result);
        tell(result);
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, ids.length) }, lane));
  return results;
}

function oneLane(
  program: string,
  waiting: string[],
  seed: number,
  tell: (result: CellResult) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const child = fork(program, ["--lane"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    let running: string | undefined;
    const next = (): void => {
      running = waiting.shift();
      send(child, running === undefined ? { end: true } : { run: running, seed });
    };
    child.on("message", (message: FromLane) => {
      if ("result" in message) tell(message.result);
      next();
    });
    child.on("exit", (code) => {
      if (running !== undefined) tell(lost(running, code));
      // One that could not even begin takes a cell with it, so that this comes to an end.
      else if (code !== 0) tell(lost(waiting.shift() ?? "-", code));
      resolve();
    });
  });
}

function lost(id: string, code: number | null): CellResult {
  const red = [`the lane ended with ${String(code)}`];
  return { id, verdict: "-", red, seconds: 0, updates: 0, story: "" };
}

function send(child: ChildProcess, message: ToLane): void {
  child.send(message);
}
