// A primary that was never flipped, and that its own guard or a boot has closed: the update's `initial` opens it again.
import { spawnSync } from "node:child_process";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../lab/postgres/processes";
import { Pair } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger (n serial primary key)");
});
afterAll(() => pair.close());

const lines = (of = pair): Record<string, string> => ({
  ...of.epoch(1, "b", "a", "initial"),
  value: "initial",
});
const signal = () => join(pair.a.dataDirectory, "standby.signal");
const close = () => {
  writeFileSync(signal(), "");
};
async function serves(): Promise<void> {
  await pair.holds("a", "promote", lines());
  await pair.a.query("insert into ledger default values");
  expect(await pair.observe("a")).toMatchObject({ role: "primary", signal: "no" });
  expect(await pair.writers()).toBe(1);
}

const closed = {
  "cut off: stopped cleanly, its signal placed": async () => {
    close();
    await pair.a.stop();
  },
  "booted after a power cut: a standby of nobody": async () => {
    await pair.a.kill();
    close();
    await pair.a.start();
  },
  "stopped in that recovery": async () => {
    await pair.a.kill();
    close();
    await pair.a.start();
    await pair.a.stop();
  },
  "killed, nobody placed a signal": async () => {
    await pair.a.kill();
  },
  "still writable, its signal placed": () => {
    close();
    return Promise.resolve();
  },
} as const;

test.each(Object.keys(closed) as (keyof typeof closed)[])("%s", async (how) => {
  await closed[how]();
  await serves();
});

test("a disk of yesterday is refused, with both ends and the site to name", async () => {
  await pair.a.stop();
  const old = `${pair.a.dataDirectory}.old`;
  spawnSync("cp", ["-a", pair.a.dataDirectory, old]);
  await serves();
  const [whole] = await pair.a.query("select max(n) as n from ledger");
  await until("b has it", 10_000, async () => {
    return (await pair.b.query("select max(n) as n from ledger"))[0]?.["n"] === whole?.["n"];
  });
  await pair.a.kill();
  rmSync(pair.a.dataDirectory, { recursive: true });
  spawnSync("cp", ["-a", old, pair.a.dataDirectory]);
  close();
  const refused = await pair.verb("a", "promote", lines());
  expect([refused.code, refused.stderr]).toEqual([
    77,
    expect.stringMatching(/this disk is older: .* holds \d+ bytes more, up to [\s\S]*activeSite b/),
  ]);
  expect(await pair.writers()).toBe(0);
});

test("before its promotion is recorded only a signal of the guard's own is taken away", async () => {
  const young = await Pair.create();
  try {
    await young.holds("a", "prepare", { value: "hash-a", password: "secret" });
    await young.a.stop();
    writeFileSync(join(young.a.dataDirectory, "standby.signal"), "");
    const record = lines(young);
    const { run = "" } = record;
    expect((await young.verb("a", "promote", { value: "held", run })).code).toBe(75);
    expect((await young.verb("a", "promote", record)).code).toBe(75);
    writeFileSync(join(young.a.stateDirectory, "held"), "BOOT boot\n");
    for (const file of [
      join(young.a.stateDirectory, "held"),
      join(young.a.dataDirectory, "standby.signal"),
    ]) {
      utimesSync(file, 5, 5);
    }
    await young.holds("a", "promote", { value: "held", run });
    expect(await young.observe("a")).toMatchObject({ role: "primary", held: "no" });
  } finally {
    await young.close();
  }
});
