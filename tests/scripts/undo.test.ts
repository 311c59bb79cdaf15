import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processesIn, signalProcess, until } from "../../lab/postgres/processes";
import { clusterOwner } from "../../lab/postgres/programs";
import { fakePrograms, Pair, stateOf } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
let epoch = 1;

beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger(n int primary key)");
});
afterAll(() => pair.close());

const serves = { role: "primary", signal: "no" };

/** Lines of a next epoch from a to b, known at both sites as drain would make it. */
async function open(): Promise<Record<string, string>> {
  epoch += 1;
  const lines = pair.epoch(epoch, "a", "b", "switchover");
  await pair.verb("b", "verify", { ...lines, token: "-" });
  return lines;
}

async function standbyStreams(): Promise<void> {
  await pair.holds("b", "rejoin", { value: "join" });
}

test("revoke, then resume: a serves again and the old token is worth nothing", async () => {
  const lines = await open();
  const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
  const token = fence.facts["token"] ?? "";
  await pair.holds("b", "verify", { ...lines, token });
  expect(stateOf(pair.b)["permit"]).toMatch(`v1,${epoch},${lines["run"]},`);

  expect((await pair.holds("b", "revoke", lines)).facts).toEqual({ revoked: "yes" });
  await pair.holds("a", "promote", { value: "resume", ...lines });
  await pair.a.query("insert into ledger values (1)");
  expect(await pair.observe("a")).toMatchObject({ ...serves, token: "-" });
  // The record and its hashes are still true: the server wrote on after them. Only the run tells.
  expect((await pair.verb("a", "fenced", { ...lines, token })).code).toBe(77);
  expect((await pair.verb("b", "promote", { value: "permit", ...lines })).code).toBe(77);
  await standbyStreams();
  expect(await pair.writers()).toBe(1);
});

test("after a promotion that was only recorded, revoke refuses and promote goes on without a permit", async () => {
  const lines = await open();
  const { facts } = await pair.holds("a", "fence", { value: "stop", ...lines });
  await pair.holds("b", "verify", { ...lines, token: facts["token"] ?? "" });
  const killed = await pair.verb("b", "promote", lines, { failAt: "promoted-stored" });
  expect(killed.code).toBe(137);
  const revoked = await pair.verb("b", "revoke", lines);
  expect([revoked.code, revoked.stderr]).toEqual([
    77,
    expect.stringMatching(/recorded its promotion/),
  ]);
  // Nor does a later epoch hide it.
  const later = pair.epoch(epoch + 1, "b", "a", "resume");
  expect((await pair.verb("b", "revoke", later)).code).toBe(77);
  expect(await pair.writers()).toBe(0);

  expect((await pair.holds("b", "promote", lines)).facts).toMatchObject({ role: "primary" });
  await pair.holds("a", "rejoin", lines);
  epoch += 1;
  await pair.switchover("b", "a", epoch);
});

test("a server that was fenced and then started as a standby takes its role back by resume", async () => {
  const lines = await open();
  await pair.holds("a", "fence", { value: "stop", ...lines });
  await pair.a.start();
  expect(await pair.observe("a")).toMatchObject({ role: "standby", signal: "yes" });
  const again = await pair.holds("a", "fence", { value: "stop", ...lines });
  expect(again.facts).toMatchObject({ fenced: "yes", token: "-" });
  await pair.holds("b", "revoke", lines);
  await pair.holds("a", "promote", { value: "resume", ...lines });
  expect(await pair.observe("a")).toMatchObject(serves);
  await standbyStreams();
});

test("armed and running, resume only takes the signal away", async () => {
  const lines = await open();
  const killed = await pair.verb(
    "a",
    "fence",
    { value: "stop", ...lines },
    { failAt: "signal-placed" },
  );
  expect(killed.code).toBe(137);
  expect(await pair.observe("a")).toMatchObject({ role: "armed", signal: "yes" });
  const before = pair.a.pid();
  await pair.holds("a", "promote", { value: "resume", ...lines });
  expect([pair.a.pid(), await pair.observe("a")]).toEqual([
    before,
    expect.objectContaining(serves),
  ]);
});

test("a switchover is refused before anything stops when the standby does not stream", async () => {
  await pair.b.stop();
  const outcome = await pair.verb("a", "fence", { value: "stop", ...(await open()) });
  expect([outcome.code, outcome.stderr]).toEqual([75, expect.stringMatching(/does not stream/)]);
  expect(await pair.observe("a")).toMatchObject(serves);
  await standbyStreams();
});

test("a stop that is not clean is rolled back: no token, a serves again", async () => {
  const lines = await open();
  const bindir = fakePrograms(pair, {
    pg_controldata: '"$real" "$@" | sed "s/shut down$/in production/"',
  });
  const outcome = await pair.verb("a", "fence", { value: "stop", bindir, ...lines });
  expect([outcome.code, outcome.stderr]).toEqual([
    75,
    expect.stringMatching(/did not end cleanly/),
  ]);
  expect(outcome.facts["token"]).toBeUndefined();
  expect(await pair.observe("a")).toMatchObject({ ...serves, token: "-" });
});

test("a torn read of the control file is read again", async () => {
  const bindir = fakePrograms(pair, {
    pg_controldata: `if mkdir ${pair.folder}/torn; then echo "WARNING: Calculated CRC checksum does not match value stored in file."; fi 2>/dev/null; exec "$real" "$@"`,
  });
  const { facts } = await pair.holds("a", "observe", { bindir });
  expect(existsSync(join(pair.folder, "torn"))).toBe(true);
  expect(facts).toMatchObject({ control_state: "in_production", role: "primary" });
});

test("a frozen walreceiver ends at the bound; what the standby lacks is found by verify and taken back", async () => {
  const lines = await open();
  const receiver = child(pair.b.dataDirectory, "walreceiver");
  signalProcess(receiver, "SIGSTOP");
  try {
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
    expect(Number(fence.facts["stop_ms"])).toBeGreaterThanOrEqual(4000);
    const token = fence.facts["token"] ?? "";
    const verify = await pair.verb("b", "verify", { ...lines, token, step_bound: 2 });
    expect([verify.code, verify.stderr]).toEqual([75, expect.stringMatching(/\d+ bytes short of/)]);
  } finally {
    signalProcess(receiver, "SIGCONT");
  }
  await pair.holds("b", "revoke", lines);
  await pair.holds("a", "promote", { value: "resume", ...lines });
  await standbyStreams();
});

function child(folder: string, title: string): number {
  const pid = processesIn(folder).find((each) => titleOf(each).includes(title));
  if (pid === undefined) throw new Error(`no ${title} works in ${folder}`);
  return pid;
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test("a foreign walsender does not hold up the stop beyond its bound", async () => {
  const lines = await open();
  const passfile = join(pair.folder, "b/home/.pgpass");
  const login = `host=${pair.a.host} port=${pair.a.port} user=standby_replicator passfile=${passfile}`;
  const args = ["-D", pair.a.dir, "-d", `${login} application_name=foreign`, "-n"];
  const options = { ...clusterOwner(), cwd: "/", stdio: "ignore" } as const;
  const foreign = spawn(join(pair.a.bindir, "pg_receivewal"), args, options);
  try {
    await until("the foreign walsender streams", 10_000, async () => {
      return (await pair.observe("a"))["foreign_senders"] === "1";
    });
    foreign.kill("SIGSTOP");
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
    expect(Number(fence.facts["stop_ms"])).toBeLessThan(4000);
    await pair.holds("b", "verify", { ...lines, token: fence.facts["token"] ?? "" });
  } finally {
    foreign.kill("SIGKILL");
  }
  await pair.holds("b", "revoke", lines);
  await pair.holds("a", "promote", { value: "resume", ...lines });
  await standbyStreams();
});
