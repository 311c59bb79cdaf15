import { closeSync, existsSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { PhaseId } from "../../plan/terms";
import type { Step } from "../../plan/step";
import type { Told } from "../../lab/driver/drive";
import type { Cell, Scene } from "./cell";
import { controlData } from "./evidence";
import { beforeRow, cutLinks, mendLinks } from "./strikes";

/** What the hand-over's proof is there for. Each of these cells has a deliberate breakage (controls.ts) that it must catch. */

function proof(
  row: PhaseId,
  fault: string,
  make: Omit<Cell, "id" | "row" | "fault" | "transition">,
): Cell {
  return { id: `switchover/${row}/${fault}`, transition: "switchover", row, fault, ...make };
}

/** The standby stops receiving just before the fence, and nobody notices. */
export const standbyStuck = proof("verify", "standby-stuck", {
  expect: ["R"],
  hooks: (scene) => ({
    before: async (step) => {
      if (step.id === "fence") {
        await scene.lane.ground.between.stall();
        await scene.load.more(5);
      }
      // What the relay holds is lost with it.
      if (step.id === "verify") await cutLinks(scene);
      return undefined;
    },
  }),
  heal: mendLinks,
});

/** Everything was received, and a part of it cannot be replayed. */
export const walDamaged = proof("verify", "received-wal-damaged", {
  expect: ["R"],
  hooks: (scene) => ({
    before: async (step) => {
      const { a, b } = scene.lane.lab;
      if (step.id === "fence") {
        await b.query("select pg_wal_replay_pause()");
        await a.query(
          "create table ballast as select repeat('x', 900) as t from generate_series(1, 2000)",
        );
        await scene.load.more(40);
      }
      if (step.id === "verify") {
        await damageReceived(scene);
        await b.query("select pg_wal_replay_resume()");
      }
      return undefined;
    },
  }),
});

const SEGMENT = 16 * 1024 * 1024;

/** Bytes that were received and not yet replayed are overwritten, far before their end. */
async function damageReceived({ lane }: Scene): Promise<void> {
  const { b } = lane.lab;
  const [row] = await b.query<{ lsn: string; timeline: number }>(
    "select pg_last_wal_receive_lsn()::text as lsn, (select received_tli from pg_stat_get_wal_receiver()) as timeline",
  );
  const control = await controlData(b);
  const timeline = Number(row?.timeline ?? control.get("Latest checkpoint's TimeLineID"));
  const [high = "0", low = "0"] = (row?.lsn ?? "0/0").split("/");
  const at = parseInt(high, 16) * 2 ** 32 + parseInt(low, 16) - 1_000_000;
  const hex = (value: number) => Math.floor(value).toString(16).toUpperCase().padStart(8, "0");
  const perLog = 2 ** 32 / SEGMENT;
  const number = Math.floor(at / SEGMENT);
  const name = `${hex(timeline)}${hex(number / perLog)}${hex(number % perLog)}`;
  const file = openSync(join(b.folders.data, "pg_wal", name), "r+");
  writeSync(file, Buffer.alloc(8192), 0, 8192, (at % SEGMENT) - ((at % SEGMENT) % 8192));
  closeSync(file);
}

/** Between two runs the fenced site serves once more, by hand, unseen by the standby, and is put back as it was found. */
export const servedBetween = proof("verify", "served-by-hand-between-two-runs", {
  expect: ["C"],
  hooks: beforeRow("verify", () => ({ kind: "kill" })),
  heal: async (scene) => {
    const { lane, load } = scene;
    const { a } = lane.lab;
    const signal = join(a.folders.data, "standby.signal");
    await cutLinks(scene);
    rmSync(signal);
    await a.startServer();
    await load.more(10);
    await a.stopServer();
    writeFileSync(signal, "");
    await mendLinks(scene);
  },
});

/** The flag is set back after a permit was given; then the first run's promotion arrives after all. */
export function latePromotion(act: (step: Step) => boolean): Cell {
  let late: { step: Step; told: Told } | undefined;
  return proof("promote", "promotion-arrives-after-the-flag-was-set-back", {
    expect: ["C"],
    then: "a",
    hooks: () => ({
      before: (step, told) => {
        if (step.id !== "promote") return Promise.resolve(undefined);
        late = { step, told };
        return Promise.resolve({ kind: "kill" });
      },
    }),
    again: (scene) => ({
      before: (step) => Promise.resolve(act(step) ? { kind: "leaveOut" } : undefined),
      after: async (step) => {
        const { lane, load } = scene;
        if (step.id !== "promote" || late === undefined) return undefined;
        const wish = lane.wish({ activeSite: "b" });
        await lane.driver.late(late.step, late.told, wish, lane.scripts);
        await load.more(10);
        return undefined;
      },
    }),
  });
}

/** A promotion that has passed all its checks and stands still; the flag is set back meanwhile. */
export const sleepingPromotion = proof("promote", "promotion-sleeps-while-the-flag-is-set-back", {
  expect: ["C"],
  then: "a",
  scripts: sleepy,
  hooks: beforeRow("promote", () => ({ kind: "killAfter", ms: 600 })),
  again: (scene) => ({
    after: async (step, code) => {
      if (step.id === "promote" || code !== 0) await wake(scene);
      return undefined;
    },
  }),
  heal: async ({ lane }) => {
    const started = join(lane.lab.b.folders.state, "asleep");
    for (let look = 0; look < 300 && !existsSync(started); look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
});

/** Lets it go on, and gives it the time to do so. */
async function wake({ lane, load }: Scene): Promise<void> {
  const go = join(lane.lab.b.folders.state, "go");
  if (existsSync(go)) return;
  writeFileSync(go, "");
  await new Promise((resolve) => setTimeout(resolve, 800));
  if (await lane.lab.a.isServerUp()) await load.more(5).catch(() => undefined);
}

export function sleepy(
  scripts: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const wait =
    'if [ "$site" = b ]; then : >"$state/asleep"; while [ ! -e "$state/go" ]; do sleep 0.02; done; fi';
  return patch(scripts, "postgres/promote", "checkpoint permit-consumed", wait);
}

/** Replaces a passage of a verb. Throws when the passage is gone, so that no breakage turns into nothing unseen. */
export function patch(
  scripts: Readonly<Record<string, string>>,
  name: string,
  passage: string,
  by: string,
): Readonly<Record<string, string>> {
  const text = scripts[name] ?? "";
  if (!text.includes(passage)) throw new Error(`${name} has no passage: ${passage}`);
  return { ...scripts, [name]: text.replaceAll(passage, () => by) };
}

export const proofCells: readonly Cell[] = [
  standbyStuck,
  walDamaged,
  servedBetween,
  latePromotion(() => false),
  sleepingPromotion,
];
