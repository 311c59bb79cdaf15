// Two dozen cells of the matrix; all of them: npm run faults. One of them again: npm run faults -- --cell ID --seed 1
import { CELLS } from "./cells";
import { CONTROLS } from "./controls";
import { Lane } from "./lane";
import { runCell } from "./runCell";

const CHOSEN = [
  "switchover/preflight/runner-killed-before",
  "switchover/prepare/runner-killed-before",
  "switchover/join/runner-killed-before",
  "switchover/witness/api-lost-answer",
  "switchover/drain/a-b-link-cut",
  "switchover/fence/runner-killed-during",
  "switchover/fence/verb-killed-at-signal-placed",
  "switchover/fence/set-back-after-kill",
  "switchover/verify/standby-stuck",
  "switchover/verify/a-crash",
  "switchover/verify/set-back-after-kill",
  "switchover/promote/runner-killed-before",
  "switchover/promote/verb-killed-at-promoted-stored",
  "switchover/promote/b-crash",
  "switchover/serve/runner-b-cut",
  "switchover/announce/api-500",
  "switchover/outside/runner-killed-before",
  "switchover/rejoin/runner-killed-during",
  "switchover/settle/second-update",
  "failover/preflight/host-lost-nothing-accepted",
  "failover/promote/host-lost-runner-killed-before",
  "failover/fence/database-dead-runner-killed-before",
];
const BROKEN = ["control/proof-skipped", "control/undo-without-revoke"];

let lane: Lane;
beforeAll(async () => {
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

test.each(CHOSEN)(
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
