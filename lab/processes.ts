import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { signalProcess, until } from "./postgres/processes";

/**
 * Processes of a lab are told by their working folder: all that runs at a site runs below the site's
 * own folder. That also finds servers which a script started and left, and never a stranger's.
 */
export function processesUnder(folder: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isUnder(workingFolder(pid), folder));
}

/** The processes that this one has started and that still are its own; none of a process that is gone. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
        .split(" ")
        .filter((child) => child !== "")
        .map(Number),
    );
  } catch {
    return []; // it ended meanwhile
  }
}

/** Ends all of them without warning, and waits (bounded) until none is left. */
export async function killUnder(folder: string, withinMs = 5000): Promise<void> {
  await until(`nothing runs in ${folder}`, withinMs, () => {
    const pids = processesUnder(folder);
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    return pids.length === 0;
  });
}

/** All live processes that were started with this path among their arguments. */
export function processesOf(path: string): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^[0-9]+$/.test(entry))
    .map(Number)
    .filter((pid) => commandLine(pid).includes(path) && pid !== process.pid);
}

/** The words that a process was started with; none of one that has ended, a zombie included. */
export function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

// A zombie has no working folder any more and so counts as gone.
function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

function isUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

const SWEEP = `
while read -r _; do :; done
clear=0 pass=0
while [ "$clear" -lt 2 ] && [ "$pass" -lt 100 ]; do
  found=0
  for process in /proc/[0-9]*; do
    folder=$(readlink "$process/cwd" 2>/dev/null) || continue
    case $folder in
      "$1" | "$1"/*) kill -KILL "\${process#/proc/}" 2>/dev/null && found=1 ;;
    esac
  done
  if [ "$found" -eq 0 ]; then clear=$((clear + 1)); else clear=0; fi
  pass=$((pass + 1))
  sleep 0.02
done
# As removeSegment of postgres/processes.ts does.
find "$1" -name postmaster.pid | while read -r file; do
  { read -r maker && read -r _ && read -r _ && read -r _ && read -r _ && read -r _ && read -r _ segment; } <"$file"
  while read -r _ id _ _ cpid _ attached _; do
    if [ "$id $cpid $attached" = "$segment $maker 0" ]; then ipcrm -m "$id"; fi
  done </proc/sysvipc/shm
done
rm -rf "$1"
`;

/**
 * A small process that outlives this one, however it ends: when the pipe from here closes, it ends all
 * that runs below `folder` and removes the folder.
 */
export class Sweeper {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(folder: string) {
    this.#child = spawn("sh", ["-c", SWEEP, "sh", folder], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("exit", () => {
        resolve();
      });
    });
    this.#child.on("error", () => undefined);
    this.#child.stdin?.on("error", () => undefined);
    this.#child.unref();
  }

  /** Sweeps now; resolves when nothing is left. */
  async sweep(): Promise<void> {
    this.#child.ref();
    this.#child.stdin?.end();
    await this.#ended;
  }
}
