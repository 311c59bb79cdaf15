import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { CELLS } from "./cells";
import { CONTROLS } from "./controls";
import { Lane } from "./lane";
import { runInLanes, type FromLane, type ToLane } from "./lanes";
import { parseOptions, type Options } from "./options";
import { pageOf } from "./page";
import { runCell, type CellResult } from "./runCell";

/**
 * `npm run faults`: every boundary of every transition times every fault, on real servers, and ten deliberate breakages
 * that must be caught. `--cell ID --seed N` replays one, `--json FILE` and `--page FILE` keep the figures.
 */

const ALL = [...CELLS, ...CONTROLS];

async function main(options: Options): Promise<number> {
  const wanted = options.cell?.split(",") ?? [""];
  const chosen = ALL.filter(({ id }) => wanted.some((one) => id.startsWith(one)));
  if (chosen.length === 0) {
    console.log(`no cell begins with ${String(options.cell)}`);
    return 2;
  }
  const began = Date.now();
  console.log(`${chosen.length} cells, seed ${options.seed}, ${options.lanes} lanes`);
  const results = await runInLanes(
    __filename,
    mixed(chosen.map(({ id }) => id)),
    options.seed,
    options.lanes,
    (result) => console.log(line(result)),
  );
  return report(options, results, (Date.now() - began) / 1000);
}

/** Long and short cells in turn, always in the same order. */
function mixed(ids: readonly string[]): readonly string[] {
  const key = (id: string) => createHash("sha256").update(id).digest("hex");
  return [...ids].sort((one, two) => key(one).localeCompare(key(two)));
}

function line({ id, verdict, red, caught: found, seconds, updates, story }: CellResult): string {
  const caught = isControl(id) ? (found === true ? "caught" : "MISSED") : undefined;
  const word = caught ?? (red.length === 0 ? "green" : "RED");
  const head = `${word.padEnd(6)} ${verdict} ${seconds.toFixed(1).padStart(6)} s  ${id}  (${updates} updates: ${story})`;
  return [head, ...red.map((one) => `         ${one}`)].join("\n");
}

const isControl = (id: string): boolean => id.startsWith("control/");

function report(options: Options, results: readonly CellResult[], seconds: number): number {
  const cells = results.filter(({ id }) => !isControl(id));
  const controls = results.filter(({ id }) => isControl(id));
  const red = cells.filter((one) => one.red.length > 0);
  const caught = controls.filter((one) => one.caught === true).length;
  const figures = {
    cells: cells.length,
    green: cells.length - red.length,
    controls: { of: controls.length, caught },
    seconds: Math.round(seconds),
    seed: options.seed,
    red: red.map(({ id, red: why }) => ({ id, why })),
  };
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...figures, results }, undefined, 2)}\n`);
  }
  if (options.page !== undefined) writeFileSync(options.page, pageOf(figures, results));
  console.log(
    `${figures.green} of ${figures.cells} cells green, ${caught} of ${controls.length} controls caught, ${figures.seconds} s, seed ${options.seed}`,
  );
  return red.length === 0 && caught === controls.length ? 0 : 1;
}

/** One lane: runs what it is told until it is told to end, or until nobody tells any more. */
async function runLane(): Promise<void> {
  const tell = (message: FromLane) => {
    if (process.connected) process.send?.(message);
  };
  const lane = await Lane.open();
  await new Promise<void>((resolve) => {
    process.on("disconnect", resolve);
    process.on("message", (message: ToLane) => {
      if ("end" in message) {
        resolve();
        return;
      }
      const cell = ALL.find(({ id }) => id === message.run);
      if (cell === undefined) throw new Error(`no cell ${message.run}`);
      void runCell(lane, cell, message.seed).then((result) => tell({ result }));
    });
    tell({ ready: true });
  });
  await lane.close();
  if (process.connected) process.disconnect();
}

const options = parseOptions(process.argv.slice(2));
void (options.lane ? runLane().then(() => 0) : main(options)).then((code) => {
  process.exitCode = code;
});
