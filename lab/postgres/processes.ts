/** Which processes belong to a cluster, and how to end them for good. */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** True when the process exists and is not a zombie (a killed one that nobody has reaped). */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const state = stat.slice(stat.lastIndexOf(")") + 2).charAt(0);
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}

/** All live processes whose working folder is `folder`: a postmaster and all its children. */
export function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => workingFolder(pid) === folder && isAlive(pid));
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** Sends a signal; a process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended between our look and the signal.
  }
}

/**
 * Removes the segment of System V memory by which a postmaster keeps a second one out, as its lock file names it. It outlives
 * a SIGKILL, only a next start of the same data would remove it, and a machine has no more than some thousands of them.
 */
export function removeSegment(lockFile: readonly string[]): void {
  const maker = lockFile[0]?.trim();
  const id = lockFile[6]?.trim().split(/\s+/)[1];
  const segments = readFileSync("/proc/sysvipc/shm", "utf8").split("\n");
  const left = segments
    .map((line) => line.trim().split(/\s+/))
    .some(([, own, , , cpid, , attached]) => own === id && cpid === maker && attached === "0");
  if (left && id !== undefined) spawnSync("ipcrm", ["-m", id]);
}

/**
 * Polls until `holds` is true.
 *
 * @throws with `what` after `withinMs`.
 */
export async function until(
  what: string,
  withinMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
