import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DivergedPair } from "../../lab/divergedPair";
import { fakePrograms } from "./harness";

jest.setTimeout(240_000);

let world: DivergedPair;

beforeAll(async () => {
  world = await DivergedPair.create();
});
afterAll(() => world.pair.close());

/** The lost site is a standby like any other: it streams, has the other's rows, and none of its own is left. */
async function isHealed(): Promise<void> {
  const { pair, lost } = world;
  const seen = await pair.observe(lost);
  expect(seen).toMatchObject({ role: "standby", signal: "yes", streaming: "yes", rejoin: "-" });
  expect(await world.count(lost, "kept")).toBe(await world.count(world.serving, "kept"));
  expect(await world.count(lost, "lost")).toBe(await world.count(world.serving, "lost"));
  expect(await pair.writers()).toBe(1);
  const { dataDirectory } = pair.site(lost);
  expect([".rejoin", ".seed"].filter((end) => existsSync(dataDirectory + end))).toEqual([]);
}

function ownFiles(): readonly string[] {
  const { dataDirectory } = world.pair.site(world.lost);
  return ["postgresql.conf", "pg_hba.conf"].map((file) =>
    readFileSync(join(dataDirectory, file), "utf8"),
  );
}

test("nothing is overwritten until the delta of this very divergence is exported or given up", async () => {
  await world.diverge();
  const first = await world.rejoin();
  expect([first.code, first.facts["way"]]).toEqual([75, "diverged"]);
  expect(first.stderr).toMatch(/HINT: .*discardDelta 2/);
  const { fork = "", end = "" } = first.facts;
  world.markExported(fork, "0/1");
  expect((await world.rejoin()).code).toBe(75);
  expect((await world.rejoin({ discard_delta: 1 })).code).toBe(75);
  expect(await world.count(world.lost, "lost")).toBe(100);

  world.markExported(fork, end);
  const own = ownFiles();
  const done = await world.rejoin();
  expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/rewind: about/)]);
  expect(done.facts).toMatchObject({ way: "rewind", streaming: "yes" });
  expect(Number(done.facts["size"])).toBeGreaterThan(0);
  expect(ownFiles()).toEqual(own);
  await isHealed();
});

test("without what a rewind needs the database is copied anew, under another name", async () => {
  await world.diverge();
  const bindir = fakePrograms(world.pair, { pg_rewind: 'echo "pg_rewind: fatal: no" >&2; exit 1' });
  const done = await world.rejoin({ discard_delta: world.epoch, bindir });
  expect([done.code, done.stderr]).toEqual([
    0,
    expect.stringMatching(/pg_rewind failed; .*copied anew/),
  ]);
  expect(done.facts).toMatchObject({ way: "reseed", streaming: "yes" });
  await isHealed();
});

test("where the primary no longer has the WAL, the database is copied anew instead of waiting for ever", async () => {
  const { pair, lost, serving } = world;
  await pair.site(lost).stop();
  await pair.site(serving).query(`select pg_drop_replication_slot('standby_${lost}')`);
  for (let n = 0; n < 3; n += 1) {
    await world.write(serving, 10, "kept");
    await pair.site(serving).query("select pg_switch_wal()");
    await pair.site(serving).query("checkpoint");
  }
  const done = await world.rejoin();
  expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/no longer keeps the WAL/)]);
  expect(done.facts["way"]).toBe("reseed");
  await isHealed();
});

const cuts = [
  "rewind-marked",
  "rewind-renamed",
  "rewind-done",
  "rewind-own-files",
  "remake-configured",
  "remake-ready",
  "remake-renamed",
] as const;

test.each(cuts)(
  "rewind killed at %s: whoever starts PostgreSQL then, nothing damaged or writable runs",
  async (at) => {
    await world.diverge();
    const discard = { discard_delta: world.epoch };
    expect((await world.rejoin(discard, at)).code).toBe(137);
    await world.startedByAnother();
    const done = await world.rejoin(discard);
    expect([done.code, done.stderr]).toEqual([0, expect.anything()]);
    await isHealed();
  },
);

test.each(["reseed-marked", "reseed-copied", "reseed-aside", "remake-ready", "remake-renamed"])(
  "reseed killed at %s: the next run ends it",
  async (at) => {
    await world.diverge();
    const bindir = fakePrograms(world.pair, { pg_rewind: "exit 1" });
    const input = { discard_delta: world.epoch, bindir };
    expect((await world.rejoin(input, at)).code).toBe(137);
    await world.startedByAnother();
    const done = await world.rejoin(input);
    expect([done.code, done.stderr]).toEqual([0, expect.anything()]);
    await isHealed();
  },
);
