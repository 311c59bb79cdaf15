/** What only the lab engine is asked: crashes at a chosen moment, locks, types it does not know. */
import { ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import * as path from "node:path";
import type { Engine } from "../../../lab/engine/engine";
import { Bench, bench, named, until } from "./workbench";

jest.setTimeout(60_000);
const ROOT = path.resolve(__dirname, "../../..");
let place: Bench;
let engine: Engine;
const program = async (source: string): Promise<void> => {
  place = bench({ source });
  engine = await place.open();
};
afterEach(() => place.remove());

// The engine in a process of its own, so that it can be killed: compiled on the fly, as the tests are.
function upInAnotherProcess(): ChildProcess {
  const runner = path.join(ROOT, "tests/contracts/engine/upProcess.js");
  return spawn(process.execPath, [runner, place.projectDir, place.stateDir], { stdio: "ignore" });
}

function exited(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on("exit", resolve));
}

function isAlive(pid: number): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) Z /.test(stat);
}

const MARKS = `const mark = config.require("mark");
  const first = new local.Command("first", { create: "echo first" });
  new local.Command("slow", { create: "echo $$ > " + mark + "; exec sleep 30" }, { dependsOn: first });`;

async function killedWhileSlow(
  signal: "SIGKILL" | "SIGINT",
): Promise<{ sleeper: number; code: number | null }> {
  await program(MARKS);
  const mark = path.join(place.projectDir, "mark");
  await engine.setConfig("mark", mark);
  const child = upInAnotherProcess();
  const code = exited(child);
  await until(
    "the slow step runs",
    () => existsSync(mark) && readFileSync(mark, "utf8").endsWith("\n"),
  );
  child.kill(signal);
  return { sleeper: Number(readFileSync(mark, "utf8")), code: await code };
}

test("SIGKILL: the command dies too; lock and pending operation stay, and cancel breaks the lock", async () => {
  const { sleeper } = await killedWhileSlow("SIGKILL");
  await until("the command is dead", () => !isAlive(sleeper));
  const state = await engine.exportStack();
  expect(named(state, "first").outputs?.stdout).toBe("first");
  expect(state.deployment.pending_operations).toMatchObject([
    { type: "creating", resource: { urn: expect.stringMatching(/::slow$/) as unknown } },
  ]);
  const refused = await engine.up();
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(/currently locked by 1 lock\(s\).*\n.*created by .* \(pid \d+\)/);
  expect((await engine.preview()).digest.changeSummary).toEqual({ same: 2, create: 1 });
  await engine.cancel();
  place.write(MARKS.replace("exec sleep 30", "true"));
  const up = await engine.up();
  expect(up.summary).toEqual({ same: 2, create: 1 });
  expect(up.stdout).toContain("1 pending operations");
  await engine.refresh();
  expect((await engine.exportStack()).deployment.pending_operations).toBeUndefined();
});

test("one SIGINT: the command is killed, the run ends, nothing stays pending or locked", async () => {
  const { sleeper, code } = await killedWhileSlow("SIGINT");
  expect(code).toBe(1);
  expect(isAlive(sleeper)).toBe(false);
  const { deployment } = await engine.exportStack();
  expect(deployment.resources?.map((one) => one.urn.split("::")[3])).toContain("first");
  expect(deployment.pending_operations).toBeUndefined();
  expect(readdirSync(path.join(place.stateDir, "locks/organization/bench/dev"))).toEqual([]);
});

test("the second of two updates is refused at once", async () => {
  await program(`new local.Command("one", { create: "sleep 2" });`);
  const first = engine.up();
  // The file, not its folder: two that look before either has written both give up, as in the real one.
  const locks = path.join(place.stateDir, "locks/organization/bench/dev");
  await until(
    "the first has the lock",
    () => existsSync(locks) && readdirSync(locks).some((name) => name.endsWith(".json")),
  );
  expect((await engine.up()).stdout).toContain("currently locked");
  expect((await first).exitCode).toBe(0);
});

test("a type the bench does not know is named, with the way out", async () => {
  await program(
    `new cloudflare.Ruleset("one", { kind: "zone", name: "n", phase: "ddos_l7", zoneId: "z" });`,
  );
  const up = await engine.up();
  expect(up.exitCode).toBe(1);
  expect(up.stdout).toContain("does not know resources of type cloudflare:index/ruleset:Ruleset");
  expect(up.stdout).toContain("install the Pulumi CLI");
});

test("the files of a stack can be read by nobody else", async () => {
  await program(`new random.RandomPassword("one", { length: 9 });`);
  await engine.setConfig("key", "value", { secret: true });
  await engine.up();
  for (const file of ["stacks/bench/dev.json", "config/bench/dev.json"]) {
    expect(statSync(path.join(place.stateDir, file)).mode & 0o077).toBe(0);
  }
});

test("events come while the run goes on, in the order of the steps", async () => {
  await program(
    `const a = new local.Command("a", { create: "true" }); new local.Command("b", { create: "true" }, { dependsOn: a });`,
  );
  const heard: string[] = [];
  await engine.up({
    onEvent: (event) => {
      if (event.kind === "pre") heard.push(`pre ${event.urn.split("::")[3]}`);
      if (event.kind === "done") heard.push(`done ${event.step.urn.split("::")[3]}`);
    },
  });
  expect(heard.slice(2)).toEqual(["pre a", "done a", "pre b", "done b"]);
});
