import type { CellResult } from "./runCell";

/** The figures of a run, as `--json` writes them. */
export interface Figures {
  readonly cells: number;
  readonly green: number;
  readonly controls: { readonly of: number; readonly caught: number };
  readonly seconds: number;
  readonly seed: number;
  readonly red: readonly { readonly id: string; readonly why: readonly string[] }[];
}

export const isControl = (id: string): boolean => id.startsWith("control/");

export function figuresOf(results: readonly CellResult[], seconds: number, seed: number): Figures {
  const cells = results.filter(({ id }) => !isControl(id));
  const controls = results.filter(({ id }) => isControl(id));
  const red = cells.filter((one) => one.red.length > 0);
  const caught = controls.filter((one) => one.caught === true).length;
  return {
    cells: cells.length,
    green: cells.length - red.length,
    controls: { of: controls.length, caught },
    seconds: Math.round(seconds),
    seed,
    red: red.map(({ id, red: why }) => ({ id, why })),
  };
}

/** A cell in a line, what is wrong with it below. */
export function lineOf({
  id,
  verdict,
  red,
  caught: found,
  seconds,
  updates,
  story,
}: CellResult): string {
  const caught = isControl(id) ? (found === true ? "caught" : "MISSED") : undefined;
  const word = caught ?? (red.length === 0 ? "green" : "RED");
  const head = `${word.padEnd(6)} ${verdict} ${seconds.toFixed(1).padStart(6)} s  ${id}  (${updates} updates: ${story})`;
  return [head, ...red.map((one) => `         ${one}`)].join("\n");
}
