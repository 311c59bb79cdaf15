import fc from "fast-check";
import { moves, play } from "./model";
import type { CellResult } from "./runCell";

export const MODEL_ID = "model/interleavings";
/** Sequences of one run. */
export const SEQUENCES = 5000;

/** Thousands of sequences against the model; the counterexample, if any, is told in its shortest form. */
export function runModel(seed: number): CellResult {
  const began = Date.now();
  const found = fc.check(
    fc.property(fc.nat({ max: 1 }), moves, (start, list) => {
      const wrong = play(start, list);
      if (wrong !== undefined) throw new Error(wrong);
    }),
    { seed, numRuns: SEQUENCES },
  );
  const seconds = (Date.now() - began) / 1000;
  const story = `${found.numRuns} sequences, seed ${seed}`;
  const red = found.failed
    ? [
        found.errorInstance instanceof Error ? found.errorInstance.message : "it failed",
        `path ${String(found.counterexamplePath)}: ${JSON.stringify(found.counterexample)}`,
      ]
    : [];
  return { id: MODEL_ID, verdict: "C", red, seconds, updates: 0, story };
}
