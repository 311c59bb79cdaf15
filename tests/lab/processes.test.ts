import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killUnder, processesUnder, Sweeper } from "../../lab/processes";
import { Cluster, temporaryFolder } from "../../lab/postgres/cluster";
import { freePort } from "../../lab/postgres/ports";
import { isAlive, until } from "../../lab/postgres/processes";

function sleeperIn(folder: string): number {
  const { pid } = spawn("sleep", ["60"], { cwd: folder, detached: true, stdio: "ignore" });
  if (pid === undefined) throw new Error("sleep did not start");
  return pid;
}
const newFolder = () => realpathSync(mkdtempSync(join(tmpdir(), "standby-sweep-")));

test("what runs below a folder is found and ended, a neighbour is not", async () => {
  const folder = newFolder();
  mkdirSync(join(folder, "one"));
  mkdirSync(join(folder, "one-more"));
  const inside = sleeperIn(join(folder, "one"));
  const neighbour = sleeperIn(join(folder, "one-more"));
  await until("both run", 2000, () => processesUnder(folder).length === 2);
  expect(processesUnder(join(folder, "one"))).toEqual([inside]);
  await killUnder(join(folder, "one"));
  expect([isAlive(inside), isAlive(neighbour)]).toEqual([false, true]);
  const sweeper = new Sweeper(folder);
  await sweeper.sweep();
  expect([isAlive(neighbour), existsSync(folder)]).toEqual([false, false]);
});

test("the sweeper waits while its maker lives, and sweeps when its pipe closes", async () => {
  const folder = newFolder();
  const sleeper = sleeperIn(folder);
  const sweeper = new Sweeper(folder);
  await until("it runs", 2000, () => processesUnder(folder).length === 1);
  expect(isAlive(sleeper)).toBe(true);
  await sweeper.sweep();
  expect([isAlive(sleeper), existsSync(folder)]).toEqual([false, false]);
});

test("the sweeper leaves no shared memory of a server that it ended", async () => {
  const folder = temporaryFolder("standby-sweep-");
  const place = { dir: join(folder, "a"), site: "a", host: "127.0.0.2" };
  const cluster = await Cluster.create({ ...place, port: await freePort([place.host]) });
  await cluster.start();
  const segments = () => readFileSync("/proc/sysvipc/shm", "utf8");
  const maker = new RegExp(` ${String(cluster.pid())} `);
  expect(segments()).toMatch(maker);
  await new Sweeper(folder).sweep();
  expect(segments()).not.toMatch(maker);
});
