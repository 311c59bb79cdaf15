// A recovery takes as long as it takes: what waits for it ends with 75 and its progress, and ends no server.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, processesIn, signalProcess, until } from "../../lab/postgres/processes";
import { leave, Pair } from "./harness";
import type { Cluster } from "../../lab/postgres/cluster";
import type { Outcome } from "../../lab/pair";

jest.setTimeout(120_000);

let pair: Pair;
beforeEach(async () => {
  pair = await Pair.streaming();
});
afterEach(() => pair.close());

function startupProcess(cluster: Cluster): number | undefined {
  return processesIn(cluster.dataDirectory).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("startup recovering");
    } catch {
      return false;
    }
  });
}

/** Dies with WAL that has to be replayed; the next start of the site stands still in the middle of it. */
async function dies(site: "a" | "b"): Promise<void> {
  const cluster = pair.site(site);
  await cluster.query("checkpoint");
  await cluster.query(
    "create table big as select n, repeat('x', 200) as t from generate_series(1, 120000) as n",
  );
  // Enough that the test is in time to stop it.
  for (let round = 0; round < 2; round += 1) await cluster.query("update big set n = n");
  await cluster.kill();
}

async function heldUp(site: "a" | "b", act: Promise<Outcome>): Promise<readonly [Outcome, number]> {
  const cluster = pair.site(site);
  let pid: number | undefined;
  await until("its recovery has begun", 20_000, () => {
    pid = startupProcess(cluster);
    return pid !== undefined;
  });
  signalProcess(pid ?? 0, "SIGSTOP");
  return [await act, pid ?? 0];
}

// Stopped while it writes its title, it says nothing.
const stillAt =
  /still in recovery after \d+ s: at (unknown|[0-9A-F]+\/[0-9A-F]+) of about [0-9A-F]+\/[0-9A-F]+/;

test("promote waits for it, says how far it is, and leaves it running; the next one ends it", async () => {
  await dies("a");
  const lines = { ...pair.epoch(2, "b", "a", "resume"), value: "resume", step_bound: "4" };
  const [late, pid] = await heldUp("a", pair.verb("a", "promote", lines));
  expect(late).toMatchObject({ code: 75, stderr: expect.stringMatching(stillAt) as string });
  expect(isAlive(pid)).toBe(true);
  expect(await pair.observe("a")).toMatchObject({
    role: "starting",
    recovery_at: expect.stringMatching(/^[0-9A-F]+.[0-9A-F]+$/) as string,
  });
  const again = await pair.verb("a", "promote", lines);
  expect([again.code, isAlive(pid)]).toEqual([75, true]);
  signalProcess(pid, "SIGCONT");
  await pair.holds("a", "promote", lines);
  expect(await pair.a.query("select count(*)::int as n from big")).toEqual([{ n: 120_000 }]);
});

test("a lost primary that recovers for its standby is not stopped, unless the loss is accepted", async () => {
  await dies("a");
  const lines = { ...pair.epoch(2, "a", "b", "failover"), value: "dead", step_bound: "6" };
  const [late, pid] = await heldUp("a", pair.verb("a", "fence", lines));
  expect(late).toMatchObject({ code: 75, stderr: expect.stringMatching(stillAt) as string });
  expect(late.stderr).toContain("pulumi config set acceptLoss 2");
  expect([(await pair.verb("a", "fence", lines)).code, isAlive(pid)]).toEqual([75, true]);
  signalProcess(pid, "SIGCONT");
  const fence = await pair.holds("a", "fence", { ...lines, step_bound: "20" });
  expect(fence.facts).toMatchObject({ drained: "yes", fenced: "yes" });
});

test("accepted, the recovery of a lost primary holds up nothing", async () => {
  await dies("a");
  const lines = { ...pair.epoch(2, "a", "b", "failover"), value: "dead", step_bound: "6" };
  const [fence] = await heldUp("a", pair.verb("a", "fence", { ...lines, accept_loss: "2" }));
  expect(fence).toMatchObject({ code: 0, facts: { drained: "no", token: "-" } });
  expect(pair.a.pid()).toBeUndefined();
});

test("a primary whose recovery was ended as a standby's comes back, with all that it wrote", async () => {
  await dies("a");
  writeFileSync(join(pair.a.dataDirectory, "standby.signal"), "");
  await pair.a.start();
  await pair.a.stop();
  expect(await pair.observe("a")).toMatchObject({ control_state: "shut_down_in_recovery" });
  leave(pair.a, "promoted", "2 1");
  await pair.holds("a", "promote", { ...pair.epoch(2, "b", "a", "resume"), value: "permit" });
  expect(await pair.a.query("select count(*)::int as n from big")).toEqual([{ n: 120_000 }]);
});
