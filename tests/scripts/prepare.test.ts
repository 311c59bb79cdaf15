import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import type { Cluster } from "../../lab/postgres/cluster";
import { findPostgres, runAsOwner } from "../../lab/postgres/programs";
import { Pair, password } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.streaming();
});
afterAll(() => pair.close());

const read = (...path: string[]) => readFileSync(join(pair.folder, ...path), "utf8");

test("prepare may run again at either role and leaves the same files", async () => {
  const files = () => [read("a/data/pg_hba.conf"), read("a/home/.pgpass")];
  const before = files();
  await pair.holds("a", "prepare", { value: "hash-a", password });
  await pair.holds("b", "prepare", { value: "hash-b", password });
  expect(files()).toEqual(before);
  expect(read("a/data/pg_hba.conf").split("\n")[0]).toBe("# standby shop begin");
});

test("the password is in ~/.pgpass, 0600, and in no log, fact or talk", async () => {
  expect(statSync(join(pair.folder, "b/home/.pgpass")).mode & 0o777).toBe(0o600);
  const broken = await pair.verb("a", "prepare", {
    value: "hash-a",
    password,
    replication_user: "x".repeat(200) + '"; select 1/0; --',
  });
  expect(broken.code).not.toBe(0);
  const texts = [broken.stderr, JSON.stringify(broken.facts), read("a/postgres.log")];
  const secrets = [password, password.replaceAll("'", "''"), password.slice(0, 5)];
  for (const text of texts) for (const secret of secrets) expect(text).not.toContain(secret);
});

const answers = {
  primary: /^n-1 primary 1 a - 1 - - - -$/,
  standby: /^n-1 standby 1 a - 0 1 0\/[0-9A-F]+ whole [0-9a-f]{64}$/,
};
test("each site answers a nonce with what it is, to the replication user only", async () => {
  for (const [site, role] of [
    ["a", "primary"],
    ["b", "standby"],
  ] as const) {
    const cluster = pair.site(site);
    const login = { host: cluster.host, port: cluster.port, user: "standby_replicator", password };
    const client = new Client({ ...login, database: "postgres" });
    await client.connect();
    const { rows } = await client.query("select standby.answer('n-1') as answer");
    expect(rows).toEqual([{ answer: expect.stringMatching(answers[role]) as string }]);
    await expect(client.query("select pg_read_file('/etc/passwd')")).rejects.toThrow(/permission/);
    await client.end();
  }
});

test("the password is stored as SCRAM, whatever the server prefers", async () => {
  await pair.a.query("alter system set password_encryption = 'md5'");
  await pair.a.query("select pg_reload_conf()");
  try {
    await pair.holds("a", "prepare", { value: "hash-a", password });
    const stored = "select left(rolpassword, 14) as stored from pg_authid where rolname = $1";
    expect(await pair.a.query(stored, ["standby_replicator"])).toEqual([
      { stored: "SCRAM-SHA-256$" },
    ]);
  } finally {
    await pair.a.query("alter system reset password_encryption");
    await pair.a.query("select pg_reload_conf()");
  }
});

/** Of a stopped server. From 18 on initdb switches them on, and then no rewind needs wal_log_hints. */
async function dropChecksums(cluster: Cluster): Promise<void> {
  const { bindir, dataDirectory } = cluster;
  if ((await cluster.controlData()).get("Data page checksum version") === "0") return;
  await runAsOwner(join(bindir, "pg_checksums"), ["--disable", `--pgdata=${dataDirectory}`]);
}

test("settings that need a restart are refused with the commands to type", async () => {
  const fresh = await Pair.create();
  try {
    await fresh.a.query("alter system set max_wal_senders = 2");
    await fresh.a.query("alter system set wal_log_hints = off");
    await fresh.a.stop();
    await dropChecksums(fresh.a);
    await fresh.a.start();
    const outcome = await fresh.verb("a", "prepare", { value: "h", password });
    expect(outcome.code).toBe(77);
    expect(outcome.stderr).toContain("alter system set max_wal_senders = 10;");
    expect(outcome.stderr).toContain("alter system set wal_log_hints = on;");
    expect((await fresh.observe("a"))["prepared"]).toBe("-");
  } finally {
    await fresh.close();
  }
});

test("preflight proves the way back, and says when there is none", async () => {
  const source = await pair.holds("a", "preflight", { value: "source" });
  expect(source.facts).toMatchObject({ way_back: "yes" });
  const target = { value: "target", value_lsn: source.facts["lsn"] ?? "" };
  expect((await pair.holds("b", "preflight", target)).facts).toMatchObject({ way_back: "yes" });
  const wrong = await pair.verb("a", "preflight", { value: "source", replication_user: "nobody" });
  expect([wrong.code, wrong.stderr]).toEqual([
    77,
    expect.stringMatching(/cannot log in to site b/),
  ]);
});

test("observe describes an empty site, a stopped one and its services", async () => {
  const fresh = await Pair.create();
  try {
    expect(await fresh.observe("b")).toMatchObject({
      role: "absent",
      programs: String(findPostgres().version),
      run: "-",
    });
    const lines = "web web 1\nservice_healthy=true\nservice=jobs worker 2\nservice_healthy=false";
    const { facts } = await fresh.holds("a", "observe", { service: lines });
    expect(facts).toMatchObject({ role: "primary", "service.web": "running" });
    expect(facts["service.jobs"]).toBe("stopped");
    await fresh.a.stop();
    expect(await fresh.observe("a")).toMatchObject({ role: "down", control_state: "shut_down" });
    await fresh.a.start();
    await fresh.a.kill();
    expect(await fresh.observe("a")).toMatchObject({
      role: "down",
      control_state: "in_production",
    });
  } finally {
    await fresh.close();
  }
});

test("what another cluster answers by the same socket and port is not taken for this site's", async () => {
  const { facts } = await pair.holds("a", "observe", { socket: pair.b.socketDirectory });
  expect(facts).toMatchObject({ role: "unclear", login: `cluster:${pair.b.dataDirectory}` });
  expect(facts["set.max_connections"]).toBeUndefined();
});

test("a login that fails says what was answered, and is no crash recovery", async () => {
  const { facts } = await pair.holds("a", "observe", { superuser: "nobody_here" });
  expect(facts).toMatchObject({ role: "starting", live_port: String(pair.a.port) });
  expect(facts["login"]).toMatch(/nobody_here/);
});

test("an unknown key of a later version is ignored", async () => {
  expect((await pair.holds("a", "check", { value: "promote", future_key: "$(id)" })).facts).toEqual(
    {
      role: "primary",
    },
  );
});
