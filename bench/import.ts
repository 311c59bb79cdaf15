import { execFile } from "node:child_process";
import { join } from "node:path";

/** What `import { StandbyPair } from "pulumi-standby"` costs a program that has loaded @pulumi/pulumi anyway. */
export interface ImportReport {
  readonly n: number;
  /** Medians, milliseconds of a fresh process each. */
  readonly sdkMs: number;
  readonly bothMs: number;
  /** Median of the second require, measured inside the process. */
  readonly costMs: number;
}

const ENTRY = join(__dirname, "..", "components", "index.js");
const SCRIPT = `const t0 = process.hrtime.bigint(); require("@pulumi/pulumi");
const t1 = process.hrtime.bigint(); if (process.argv[1]) require(process.argv[1]);
console.log(Number(t1 - t0) / 1e6, Number(process.hrtime.bigint() - t1) / 1e6);`;

/** One run without and one with the package, n times, one after the other: both see the same machine. */
export async function benchImport(n: number): Promise<ImportReport> {
  const alone: number[] = [];
  const both: number[] = [];
  const cost: number[] = [];
  await fresh(ENTRY); // the file cache is warm for either
  for (let run = 0; run < n; run += 1) {
    alone.push((await fresh()).sdk);
    const { sdk, own } = await fresh(ENTRY);
    both.push(sdk + own);
    cost.push(own);
  }
  return { n, sdkMs: median(alone), bothMs: median(both), costMs: median(cost) };
}

function fresh(entry?: string): Promise<{ readonly sdk: number; readonly own: number }> {
  const args = ["-e", SCRIPT, ...(entry === undefined ? [] : [entry])];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: join(__dirname, "..", "..") }, (error, stdout) => {
      const [sdk = NaN, own = NaN] = stdout.trim().split(" ").map(Number);
      if (error === null) resolve({ sdk, own });
      else reject(error);
    });
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, two) => one - two);
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? NaN) * 10) / 10;
}
