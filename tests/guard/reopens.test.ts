import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GuardedPair } from "../../lab/guarded";
import { until } from "../../lab/postgres/processes";
import { fakeBinaries } from "./slow";

/** A site that its own guard has closed opens again by itself, once everything speaks for it, and never on less than its peer holds. */

let pair: GuardedPair;
beforeAll(async () => {
  pair = await GuardedPair.open();
  await pair.lab.a.cluster.query("create table mine (n serial primary key, t text)");
}, 60_000);
afterAll(() => pair.close(), 60_000);

const write = () => pair.lab.a.cluster.query("insert into mine (t) values ('x')");
const rows = async (site: "a" | "b") => {
  const query = "select count(*)::int as n from mine";
  return (await pair.lab.sites[site].cluster.query<{ n: number }>(query))[0]?.n;
};
const signalAt = (site: "a" | "b") =>
  existsSync(join(pair.lab.sites[site].cluster.dataDirectory, "standby.signal"));
const opens = (withinMs = 20_000) =>
  until("site a is open again", withinMs, () => pair.writable("a")).catch((error: unknown) => {
    const why = [pair.state("a", "held"), pair.state("a", "held.why"), pair.lab.a.guardLog()];
    throw new Error([String(error), ...why].join("\n"));
  });
const running = async (name: string) => (await pair.lab.a.service("healthy", name)).exitCode === 0;

async function cutOff(): Promise<void> {
  await pair.install("a", { dns: false, peer: false });
  await pair.isFenced("a", 20_000);
  await until("it is stopped", 10_000, () => pair.lab.a.cluster.pid() === undefined);
}

test("cut off for longer than `after`, then back: it serves again, with its services", async () => {
  for (const name of ["web", "worker"]) await pair.lab.a.service("start", name);
  await cutOff();
  await until("its services are stopped", 20_000, async () => !(await running("web")));
  expect(pair.state("a", "held")).toMatch(/ cut-off$/);
  await pair.install("a", {});
  await opens();
  await write();
  await until(
    "its services run",
    20_000,
    async () => (await running("web")) && (await running("worker")),
  );
  await until("nothing is left of it", 10_000, () => pair.state("a", "held") === "");
  expect([signalAt("a"), pair.state("a", "maintenance")]).toEqual([false, ""]);
}, 90_000);

test("one of the two is not enough, and a signal of somebody else's stays", async () => {
  await cutOff();
  await pair.install("a", { peer: false });
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(false);
  expect((await pair.observe("a"))["held_why"]).toContain("does_not_say_that_it_is_the_standby");
  utimesSync(join(pair.lab.a.cluster.dataDirectory, "standby.signal"), 1, 1);
  await pair.install("a", {});
  await pair.outlasts("a");
  expect([await pair.writable("a"), (await pair.observe("a"))["held"]]).toEqual([false, "no"]);
  await pair.restart();
}, 90_000);

test("while a verb works at the site it stays as it is", async () => {
  const state = (file: string) => join(pair.lab.a.cluster.stateDirectory, file);
  const sees = readFileSync(state("guard.conf"));
  await cutOff();
  const verb = spawn("flock", ["--no-fork", state("lock"), "sleep", "60"], { stdio: "ignore" });
  // Not by install, which needs the lock.
  writeFileSync(state("guard.conf"), sees);
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(false);
  verb.kill();
  await opens();
}, 90_000);

test("both hosts lose power, the other one is back only later", async () => {
  await write();
  const before = await rows("a");
  await Promise.all([pair.lab.a.killAll(), pair.lab.b.killAll()]);
  expect((await pair.lab.a.boot()).stdout).toContain("role=standby");
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(false);
  await pair.lab.b.boot();
  await opens();
  expect(await rows("a")).toBe(before);
}, 90_000);

test("after a power cut in the middle of writes it opens: half a record at the standby is no more than it holds", async () => {
  for (let round = 0; round < 3; round += 1) {
    const writer = pair.lab.a.cluster
      .query(
        "do $$ begin loop perform pg_logical_emit_message(true, 'x', repeat('y', 30000)); commit; end loop; end $$",
      )
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await pair.lab.a.killAll();
    await writer;
    await pair.lab.a.boot();
    await opens();
  }
}, 120_000);

test("a host whose psql takes 1.9 s serves on, and holds its lease", async () => {
  const times = { poll: 2000, after: 12_000, bound: 30_000 };
  const bindir = fakeBinaries(pair.lab.a.cluster, { psql: 'sleep 1.9; exec "$real" "$@"' });
  await pair.install("a", { isolation: "lease", times, bindir });
  const from = pair.live("a").at;
  await until(
    "its guard has polled for longer than a lease",
    60_000,
    () => pair.live("a").at > from + 1800,
  );
  expect([await pair.writable("a"), pair.live("a").armed]).toEqual([true, "yes"]);
  expect(pair.state("a", "held")).toBe("");
  await pair.install("a", {});
}, 90_000);

test("a disk of yesterday stays closed, and says who holds more", async () => {
  const { cluster } = pair.lab.a;
  const copy = (from: string, to: string) => spawnSync("cp", ["-a", from, to]);
  await pair.lab.a.killAll();
  copy(cluster.dataDirectory, `${cluster.dataDirectory}.old`);
  await pair.lab.a.boot();
  await opens();
  await write();
  const whole = await rows("a");
  await until("b has it", 10_000, async () => (await rows("b")) === whole);
  await pair.lab.a.killAll();
  rmSync(cluster.dataDirectory, { recursive: true });
  copy(`${cluster.dataDirectory}.old`, cluster.dataDirectory);
  expect((await pair.lab.a.boot()).stdout).toContain("role=standby");
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(false);
  expect((await pair.observe("a"))["held_why"]).toMatch(/^this_disk_is_older.*activeSite:_b$/);
}, 90_000);
