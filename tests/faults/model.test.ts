// Interleavings of updates, kills, losses and returns against the model. Replay: FAULTS_SEED=N npx jest tests/faults/model
import { runModel, SEQUENCES } from "./runModel";

const seed = Number(process.env["FAULTS_SEED"] ?? 20_261_122);

test(`${SEQUENCES} sequences never have two writers and always come to rest (seed ${seed})`, () => {
  expect(runModel(seed).red).toEqual([]);
}, 240_000);
