import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const NEEDED = 2 * 1024 ** 3;

/**
 * A cell's faults end processes and never the kernel, which keeps what it was given: whether a sync has reached the disk makes
 * no difference to them. So where the machine offers enough memory the pairs lie there, which spares thousands of syncs.
 */
export function memoryFolder(): string {
  const folder = "/dev/shm";
  try {
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    const options = mounts.find((line) => line.split(" ")[1] === folder)?.split(" ")[3] ?? "noexec";
    const { bavail, bsize } = statfsSync(folder);
    accessSync(folder, constants.W_OK);
    const fits = !options.split(",").includes("noexec") && bavail * bsize > NEEDED;
    return fits && process.env["TMPDIR"] === undefined ? folder : tmpdir();
  } catch {
    return tmpdir();
  }
}
