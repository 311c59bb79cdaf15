// Two servers that hold WAL of the same timeline number, at the same positions, and not the same bytes. Numbers and positions
// say that one could follow the other; it would lose what only it has.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caughtUp } from "../../lab/lostPrimary";
import { DivergedPair } from "../../lab/divergedPair";
import { until } from "../../lab/postgres/processes";
import type { SiteId } from "./harness";

jest.setTimeout(240_000);

let world: DivergedPair;

beforeEach(async () => {
  world = await DivergedPair.create();
});
afterEach(() => world.pair.close());

const replaying = async (site: SiteId) => {
  const { pair, serving } = world;
  await until("the standby replays", 10_000, async () => {
    const [row] = await pair
      .site(serving)
      .query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
    const [done] = await pair
      .site(site)
      .query<{ yes: boolean }>(`select pg_last_wal_replay_lsn() >= '${row?.lsn ?? ""}' as yes`);
    return done?.yes === true;
  });
};

/** What the export of this site says, and then the rejoin that it allows. */
async function exportAndJoin(site: SiteId, discard = false) {
  const { pair, lines } = world;
  const first = await pair.verb(site, "rejoin", { value: "rejoin", ...lines });
  const exported = await pair.verb(site, "delta", { value: "export", ...lines });
  const more = discard ? { discard_delta: lines["epoch"] ?? "" } : {};
  const second = await pair.verb(site, "rejoin", { value: "rejoin", ...lines, ...more });
  return { first, exported, second };
}

test("both were promoted to one timeline number, from two positions", async () => {
  // b serves on timeline 2 with 50 rows of its own, a holds 100 that b never had.
  await world.diverge();
  const { pair } = world;
  await pair.b.kill();
  // The flag is set back: a, which stood by as it was lost, is promoted to a timeline 2 of its own.
  world.serving = "a";
  world.lines = pair.epoch(3, "b", "a", "failover");
  writeFileSync(join(pair.a.dataDirectory, "standby.signal"), "");
  await pair.a.start();
  await pair.holds("a", "verify", { value: "accepted", accept_loss: 3, ...world.lines });
  await pair.holds("a", "promote", { value: "permit", ...world.lines });
  await world.write("a", 200, "after");
  await pair.a.query("checkpoint");
  const { first, exported, second } = await exportAndJoin("b");
  expect([first.code, first.facts["way"]]).toEqual([75, "diverged"]);
  if (exported.code !== 0) throw new Error(exported.stderr);
  expect(exported.facts["delta_inserts"]).toBe("50");
  expect([second.code, second.stderr]).toEqual([0, expect.anything()]);
  expect(second.facts["way"]).toBe("reseed");
  expect(await world.count("b", "after")).toBe(200);
  expect(await world.count("b", "lost")).toBe(100);
});

/** a comes back with the disk that it had before the last rows, and somebody opens it. */
async function olderDisk(rows: number): Promise<void> {
  const { pair } = world;
  await pair.a.stop();
  const kept = join(pair.folder, "kept");
  execFileSync("cp", ["-a", pair.a.dataDirectory, kept]);
  await pair.a.start();
  await world.write("a", rows, "kept");
  await caughtUp(pair.a, pair.b);
  await pair.a.kill();
  rmSync(pair.a.dataDirectory, { recursive: true });
  execFileSync("cp", ["-a", kept, pair.a.dataDirectory]);
  world.lines = pair.epoch(1, "b", "a", "initial");
}

test("a standby beyond a primary whose disk is older stays as it is", async () => {
  await olderDisk(300);
  const { pair } = world;
  await pair.a.start();
  const { first, exported, second } = await exportAndJoin("b");
  expect([first.code, second.code, exported.code]).toEqual([75, 75, 0]);
  expect(first.facts["way"]).toBe("diverged");
  expect(await world.count("b", "kept")).toBe(300);
});

test("and so it does when that primary has gone past it, and has sent it other bytes", async () => {
  await olderDisk(300);
  const { pair } = world;
  await pair.a.start();
  for (let n = 0; n < 5; n += 1) await world.write("a", 2000, "after");
  await until("the standby has received them", 10_000, async () => {
    const [row] = await pair.b.query<{ far: boolean }>(
      "select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn() + 100000 as far",
    );
    return row?.far === true;
  });
  for (let n = 0; n < 2; n += 1) {
    const join = await pair.verb("b", "rejoin", { value: "rejoin", ...world.lines });
    expect([join.code, join.facts["way"]]).toEqual([75, "diverged"]);
    expect(await world.count("b", "kept")).toBe(300);
  }
  // A person may give that up.
  const given = await exportAndJoin("b", true);
  expect([given.second.code, given.second.facts["way"]]).toEqual([0, "reseed"]);
  await replaying("b");
  expect(await world.count("b", "after")).toBe(10_000);
  expect((await pair.observe("b"))["beyond"]).toBe("-");
});

test("stopped meanwhile, its own writes are exported before it is copied anew", async () => {
  await olderDisk(300);
  const { pair } = world;
  await pair.b.stop();
  await pair.a.start();
  for (let n = 0; n < 5; n += 1) await world.write("a", 2000, "after");
  const { first, exported, second } = await exportAndJoin("b");
  expect([first.code, first.facts["way"]]).toEqual([75, "diverged"]);
  if (exported.code !== 0) throw new Error(exported.stderr);
  expect(Number(exported.facts["delta_transactions"])).toBeGreaterThan(0);
  expect(
    readFileSync(join(pair.b.stateDirectory, "delta/1/rows.jsonl"), "utf8").split("\n").length,
  ).toBeGreaterThan(299);
  expect([second.code, second.facts["way"]]).toEqual([0, "reseed"]);
  await replaying("b");
  expect(await world.count("b", "after")).toBe(10_000);
});

test("a standby that was cut off just after a hand-over follows on, though its control file names the timeline before", async () => {
  const { pair } = world;
  world.lines = pair.epoch(2, "a", "b", "switchover");
  const { lines } = world;
  const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
  await pair.holds("b", "verify", { value: "token", ...lines, token: fence.facts["token"] ?? "" });
  await pair.holds("b", "promote", { value: "permit", ...lines });
  await pair.holds("a", "rejoin", { value: "rejoin", ...lines });
  await pair.a.query("alter system set primary_conninfo = ''");
  await pair.a.query("select pg_reload_conf()");
  expect((await pair.a.controlData()).get("Latest checkpoint's TimeLineID")).toBe("1");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const join = await pair.verb("a", "rejoin", { value: "rejoin", ...world.lines });
  expect([join.code, join.stderr, join.facts["way"]]).toEqual([0, "", "follow"]);
});
