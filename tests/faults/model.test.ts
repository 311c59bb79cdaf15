// Interleavings of updates, kills, losses and returns against the model. Replay: FAULTS_SEED=N npx jest tests/faults/model
import fc from "fast-check";
import { moves, play } from "./model";

const seed = Number(process.env["FAULTS_SEED"] ?? 20_261_122);
const RUNS = 5000;

test(`${RUNS} sequences never have two writers and always come to rest (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.nat({ max: 1 }), moves, (start, list) => {
      expect(play(start, list)).toBeUndefined();
    }),
    { seed, numRuns: RUNS },
  );
}, 240_000);
