// Two dozen cells of the matrix; all of them: npm run faults. One of them again: npm run faults -- --cell ID --seed 1
import { CELLS } from "./cells";
import { CONTROLS } from "./controls";
import { Lane } from "./lane";
import { memoryFolder } from "./memory";
import { runCell } from "./runCell";

// The cheapest of each boundary, and two deliberate breakages.
const QUICK = [
  "switchover/preflight/runner-killed-before",
  "switchover/preflight/replay-paused",
  "switchover/prepare/runner-b-cut",
  "switchover/join/a-b-link-cut",
  "switchover/witness/witness-edited",
  "switchover/witness/set-back-after-kill",
  "switchover/drain/a-b-link-cut",
  "switchover/drain/b-crash",
  "switchover/fence/runner-killed-during",
  "switchover/fence/verb-killed-at-before-signal",
  "switchover/fence/set-back-after-kill",
  "switchover/fence/runner-b-cut",
  "switchover/verify/runner-killed-before",
  "switchover/verify/replay-paused",
  "switchover/promote/verb-killed-at-permit-consumed",
  "switchover/promote/promotion-arrives-after-the-flag-was-set-back",
  "switchover/promote/a-crash",
  "switchover/serve/a-b-link-cut",
  "switchover/announce/api-500",
  "switchover/outside/runner-killed-before",
  "switchover/rejoin/verb-killed-at-before-follow",
  "switchover/settle/second-update",
];
const BROKEN = ["control/promote-before-fence", "control/announce-before-promote"];

let lane: Lane;
beforeAll(async () => {
  process.env["TMPDIR"] = memoryFolder();
  lane = await Lane.open();
}, 120_000);
afterAll(async () => {
  await lane.close();
});

const cellOf = (id: string) => {
  const found = [...CELLS, ...CONTROLS].find((cell) => cell.id === id);
  if (found === undefined) throw new Error(`no cell ${id}`);
  return found;
};

test.each(QUICK)(
  "%s",
  async (id) => {
    const { red, story } = await runCell(lane, cellOf(id), 1);
    expect([...red, ...(red.length > 0 ? [story] : [])]).toEqual([]);
  },
  120_000,
);

test.each(BROKEN)(
  "%s is caught",
  async (id) => {
    const { caught, red } = await runCell(lane, cellOf(id), 1);
    expect(caught === true ? [] : red).toEqual([]);
    expect(caught).toBe(true);
  },
  120_000,
);
