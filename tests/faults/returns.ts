import { Client } from "pg";
import { nowMs } from "../../lab/ledger/operations";
import type { Cell, Scene } from "./cell";
import { comeBack, crash, cutLinks, mendLinks, quiet } from "./strikes";

/** The lost site returns with writes that only it holds. Each of these cells has a deliberate breakage (controls.ts). */

type Make = Pick<Cell, "heal" | "arrange"> & Partial<Cell>;

function returning(fault: string, make: Make): Cell {
  return {
    id: `failover/rejoin/${fault}`,
    ...{ transition: "failover", row: "rejoin", fault: `host-lost, ${fault}` },
    expect: ["C"],
    flags: { activeSite: "b", acceptLoss: 4, acceptUnproven: 4 },
    ...make,
  };
}

/** Writes go on at a while b receives nothing any more; then a is lost. */
async function divergeAndCrash(scene: Scene): Promise<void> {
  await cutLinks(scene);
  await scene.load.more(20);
  await crash(scene, "a");
  await mendLinks(scene);
}

/** A transaction that wrote where both sites have its records, and committed where only a has them. */
export const spanningTheFork = returning("returns-with-a-transaction-across-the-fork", {
  arrange: async (scene) => {
    const { lab } = scene.lane;
    const { databasePort: port, login } = lab;
    const client = new Client({ host: lab.a.host, port, ...login, database: "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    const startMs = nowMs();
    await client.query("begin");
    await client.query("insert into ledger(writer, seq, site) values (9001, 1, 'a')");
    // Others' commits take its record along to the disk and to b.
    await scene.load.more(20);
    // Nobody else writes this table after the fork: only the record from before it tells that it was changed.
    await quiet(scene, "a");
    await cutLinks(scene);
    await client.query("commit");
    const done = { host: lab.a.host, startMs, endMs: nowMs() };
    scene.load.note({ writer: 9001, seq: 1, ...done, outcome: "acknowledged" });
    await crash(scene, "a");
    // Nobody answers a farewell there any more.
    client.connection.stream.destroy();
    await mendLinks(scene);
  },
  heal: (scene) => comeBack(scene, "a"),
});

/** Its rewind is killed, and somebody starts the data that lies there. */
export const startedInARewind = returning("started-by-hand-in-a-killed-rewind", {
  arrange: async (scene) => {
    const { lane } = scene;
    await divergeAndCrash(scene);
    const flags = { activeSite: "b", acceptLoss: 4, acceptUnproven: 4 } as const;
    const { code, text } = await lane.drive(flags);
    if (code !== 0) throw new Error(`the failover did not end: ${text}`);
    await comeBack(scene, "a");
    await scene.load.more(20);
  },
  hooks: () => ({
    before: (step) =>
      Promise.resolve(
        step.id === "rejoin" ? { kind: "failAt", checkpoint: "rewind-own-files" } : undefined,
      ),
  }),
  heal: async ({ lane, load }) => {
    await lane.lab.a.startServer(5000).catch(() => undefined);
    await load.more(5);
  },
});

/** Returns under load, is exported, rewound, and follows. */
export const diverged = returning("returns-with-writes-of-its-own-under-load", {
  arrange: divergeAndCrash,
  heal: (scene) => comeBack(scene, "a"),
});

/** The flag is set back before the returned site was taken in again: join exports and rewinds it, then it takes over. */
const setBackAtOnce: Cell = {
  ...startedInARewind,
  id: "rejoin/join/set-back-before-it-was-taken-in-again",
  ...{ transition: "rejoin", row: "join", fault: "set back at once" },
  hooks: () => ({}),
  heal: () => Promise.resolve(),
  flags: { activeSite: "a", acceptLoss: 4 },
};

export const returnCells: readonly Cell[] = [
  diverged,
  spanningTheFork,
  startedInARewind,
  setBackAtOnce,
];
