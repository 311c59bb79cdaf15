import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { CELLS } from "./cells";
import { CHOSEN } from "./chosen";
import { CONTROLS } from "./controls";
import { ENGINE_CELLS } from "./engineCells";
import { HOST_CELLS, HOST_CONTROLS } from "./hostCells";
import { runInLanes, type FromLane, type ToLane } from "./lanes";
import { roomProblem } from "../../lab/hosts/room";
import { postgresBanner } from "../../lab/postgres/programs";
import { parseOptions, type Options } from "./options";
import { pageOf } from "./page";
import { Places } from "./places";
import type { CellResult } from "./runCell";
import { figuresOf, isControl, lineOf } from "./figures";
import { MODEL_ID } from "./runModel";

/**
 * `npm run faults`: every boundary of every transition times every fault, on real servers, and ten deliberate breakages
 * that must be caught. `--cell ID --seed N` replays one, `--all` leaves none out, `--json FILE` and `--page FILE` keep the
 * figures. `--hosts`: the cells of a host's fault, on hosts of their own.
 */
async function main(options: Options): Promise<number> {
  const problem = options.hosts ? roomProblem() : undefined;
  if (problem !== undefined) {
    console.log(`skipped: the fault matrix on hosts (skipped: ${problem})`);
    console.log("0 passed, 0 failed, 1 skipped");
    return 0;
  }
  const ids = chosen(options);
  if (ids.length === 0) {
    console.log(`no cell begins with ${String(options.cell)}`);
    return 2;
  }
  const began = Date.now();
  console.log(
    `${ids.length} cells, seed ${options.seed}, ${options.lanes} lanes, ${options.hosts ? "Debian's own PostgreSQL 15" : postgresBanner()}`,
  );
  const results = await runInLanes({
    program: __filename,
    args: ["--lane", ...(options.hosts ? ["--hosts"] : [])],
    seed: options.seed,
    lanes: queues(ids, options.lanes),
    until: began + options.limit * 1000,
    tell: (result) => console.log(lineOf(result)),
  });
  return report(options, results, (Date.now() - began) / 1000);
}

/** What was asked for, long and short cells in turn, always in the same order. */
function chosen({ cell, part, ...options }: Options): readonly string[] {
  const wanted = cell?.split(",");
  const key = (id: string) => createHash("sha256").update(id).digest("hex");
  return known({ ...options, all: options.all || wanted !== undefined })
    .filter((id) => wanted === undefined || wanted.some((one) => id.startsWith(one)))
    .sort((one, two) => key(one).localeCompare(key(two)))
    .filter((_, index) => index % part.of === part.at - 1);
}

function known({ all, hosts }: Pick<Options, "all" | "hosts">): readonly string[] {
  if (hosts) return [...HOST_CELLS, ...HOST_CONTROLS];
  return [
    ...(all ? CELLS.map(({ id }) => id) : CHOSEN),
    MODEL_ID,
    ...[...ENGINE_CELLS, ...CONTROLS].map(({ id }) => id),
  ];
}

/** Only the first lane builds a pair under an engine, and takes those cells first, in their own order. */
function queues(ids: readonly string[], count: number): readonly (readonly string[][])[] {
  const first = [...ENGINE_CELLS.map(({ id }) => id), MODEL_ID].filter((id) => ids.includes(id));
  const rest = ids.filter((id) => !first.includes(id));
  const lanes = Math.min(count, ids.length);
  return Array.from({ length: lanes }, (_, lane) => (lane === 0 ? [first, rest] : [rest]));
}

function report(options: Options, results: readonly CellResult[], seconds: number): number {
  const figures = figuresOf(results, seconds, options.seed);
  const { cells, green, controls } = figures;
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...figures, results }, undefined, 2)}\n`);
  }
  if (options.page !== undefined) writeFileSync(options.page, pageOf(figures, results));
  const failed = cells - green + controls.of - controls.caught;
  for (const one of results) {
    if (one.red.length > 0 && !isControl(one.id)) console.log(`red: ${one.id}`);
    if (isControl(one.id) && one.caught !== true) console.log(`missed: ${one.id}`);
  }
  console.log(
    `${green} of ${cells} cells green, ${controls.caught} of ${controls.of} controls caught, ${figures.seconds} s, seed ${figures.seed}`,
  );
  console.log(`${green + controls.caught} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** One lane: runs what it is told until it is told to end, or until nobody tells any more. */
async function runLane({ hosts }: Options): Promise<void> {
  const tell = (message: FromLane) => {
    if (process.connected) process.send?.(message);
  };
  const places = new Places(hosts);
  await new Promise<void>((resolve, reject) => {
    process.on("disconnect", resolve);
    process.on("message", (message: ToLane) => {
      if ("end" in message) {
        resolve();
        return;
      }
      const { run, seed } = message;
      places
        .run(run, seed, () => tell({ begun: run }))
        .then((result) => tell({ result }))
        .catch(reject);
    });
    tell({ ready: true });
  });
  await places.close();
  if (process.connected) process.disconnect();
}

const options = parseOptions(process.argv.slice(2));
void (options.lane ? runLane(options).then(() => 0) : main(options)).then((code) => {
  process.exitCode = code;
});
