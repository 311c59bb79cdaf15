import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killUnder, processesUnder, Sweeper } from "../../lab/processes";
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
