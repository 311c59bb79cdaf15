import { readFileSync } from "node:fs";
import { Client } from "pg";
import { processesIn, signalProcess, until } from "../../lab/postgres/processes";
import { Pair, stateOf, type Outcome } from "./harness";

jest.setTimeout(120_000);

/** Drain before loss: a dead primary whose host answers is started once more, as a standby, and gives what it still holds. */
let pair: Pair;
let lines: Record<string, string>;

beforeEach(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger(n serial primary key)");
  await pair.a.query(
    "create sequence falls increment by -3 start with 1000 maxvalue 1000 minvalue -5",
  );
  lines = pair.epoch(2, "a", "b", "failover");
});
afterEach(() => pair.close());

function titled(site: "a" | "b", word: string): number {
  const found = processesIn(pair.site(site).dataDirectory).filter((pid) =>
    titleOf(pid).includes(word),
  );
  if (found[0] === undefined) throw new Error(`no ${word} at site ${site}`);
  return found[0];
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Rows that are acknowledged at a and unknown at b: its sender is frozen before they are written. */
async function diverge(rows: number): Promise<void> {
  signalProcess(titled("a", "walsender"), "SIGSTOP");
  await pair.a.query(`insert into ledger select from generate_series(1, ${rows})`);
}

async function rowsAt(site: "a" | "b"): Promise<number> {
  const [row] = await pair.site(site).query<{ n: number }>("select count(*)::int as n from ledger");
  return row?.n ?? -1;
}

function fenceDead(): Promise<Outcome> {
  return pair.holds("a", "fence", { value: "dead", ...lines });
}

test("acknowledged rows that the standby never got are fetched: loss 0, drained, nothing to accept", async () => {
  await diverge(1000);
  await pair.a.kill();
  expect(await rowsAt("b")).toBe(0);
  const fence = await fenceDead();
  expect(fence.facts).toMatchObject({ drained: "yes", fenced: "yes" });
  const token = fence.facts["token"] ?? "";
  expect(token).toMatch(/^v1-drained,/);
  expect(await pair.writers()).toBe(0);
  expect((await pair.a.controlData()).get("Database cluster state")).toBe("shut down in recovery");
  await pair.holds("a", "fenced", { value: "lost", ...lines, token });
  const verify = await pair.holds("b", "verify", { value: "accepted", ...lines, token });
  expect(verify.facts["loss"]).toBe("0,drained");
  await pair.holds("b", "promote", { value: "permit", ...lines });
  expect(await rowsAt("b")).toBe(1000);
  // Nothing was lost, so no sequence leaps.
  expect(await pair.b.query("select nextval('ledger_n_seq')::int - 1000 < 40 as near")).toEqual([
    { near: true },
  ]);
  expect((await pair.holds("a", "rejoin", lines)).facts).toMatchObject({
    way: "follow",
    streaming: "yes",
  });
  expect(await pair.writers()).toBe(1);
});

test("a primary that was started as a standby by its guard is drained too, and a second run makes a token of its own", async () => {
  await diverge(50);
  await pair.a.kill();
  await pair.holds("a", "fence", { value: "dead", ...lines, peer: "c" });
  const first = await fenceDead();
  const next = { ...lines, run: "9-test" };
  const second = await pair.holds("a", "fence", { value: "dead", ...next });
  expect(second.facts["token"]).toContain(",2,9-test");
  const refused = await pair.verb("b", "verify", {
    value: "accepted",
    ...next,
    token: first.facts["token"] ?? "",
  });
  expect([refused.code, refused.stderr]).toEqual([
    77,
    expect.stringMatching(/token is of epoch 2 and run 2-test/),
  ]);
  await pair.holds("b", "verify", {
    value: "accepted",
    ...next,
    token: second.facts["token"] ?? "",
  });
});

test("a hundred open sub-transactions at the last checkpoint keep no standby from being drained", async () => {
  await pair.a.query("create table many(n int)");
  const { socketDirectory: host, port, superuser: user } = pair.a;
  const client = new Client({ host, port, user, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  await client.query(
    "begin; do $$ begin for n in 1..100 loop begin insert into many values (n); exception when others then raise; end; end loop; end $$",
  );
  await pair.a.query("checkpoint");
  await diverge(100);
  await pair.a.kill();
  const { facts } = await fenceDead();
  expect(facts).toMatchObject({ drained: "yes", fenced: "yes" });
  const token = facts["token"] ?? "";
  await pair.holds("b", "verify", { value: "accepted", ...lines, token });
  await pair.holds("b", "promote", { value: "permit", ...lines });
  expect([await rowsAt("b"), await pair.b.query("select n from many")]).toEqual([100, []]);
  await client.end().catch(() => undefined);
});

test("where the standby cannot fetch, there is no token, a stays fenced and the loss must be accepted", async () => {
  await diverge(10);
  signalProcess(titled("b", "walreceiver"), "SIGSTOP");
  await pair.a.kill();
  const fence = await pair.holds("a", "fence", { value: "dead", ...lines, step_bound: 15 });
  expect(fence.facts).toMatchObject({ drained: "no", token: "-", fenced: "yes" });
  expect(fence.stderr).toMatch(/not drained: site b has fetched up to/);
  await pair.holds("a", "fenced", { value: "lost", ...lines, token: "-" });
  const verify = await pair.verb("b", "verify", { value: "accepted", ...lines, token: "-" });
  expect([verify.code, verify.stderr]).toEqual([
    77,
    expect.stringMatching(/could not be drained[^]*HINT: .*acceptLoss 2/),
  ]);
  expect(await pair.writers()).toBe(0);
});

test("killed at each point of the drain, a is never writable and the next run drains it", async () => {
  await diverge(20);
  await pair.a.kill();
  for (const failAt of ["before-drain", "fetched", "before-token"]) {
    const killed = await pair.verb("a", "fence", { value: "dead", ...lines }, { failAt });
    expect([failAt, killed.code]).toEqual([failAt, 137]);
    expect(await pair.writers()).toBe(0);
  }
  const fence = await fenceDead();
  await pair.holds("b", "verify", {
    value: "accepted",
    ...lines,
    token: fence.facts["token"] ?? "",
  });
  expect(await rowsAt("b")).toBe(20);
});

test("after an accepted loss every sequence of every database leaps, also when promote is killed in between", async () => {
  await pair.a.query('create database "odd name"');
  await pair.a.query("create sequence own start 5", [], "odd name");
  await pair.a.query("select nextval('falls')");
  await until("b has replayed it", 10_000, async () => {
    const found = await pair.b.query("select from pg_database where datname = 'odd name'");
    return found.length === 1;
  });
  await pair.a.kill();
  await pair.holds("b", "verify", { value: "accepted", accept_loss: 2, ...lines });
  const killed = await pair.verb(
    "b",
    "promote",
    { value: "permit", ...lines },
    { failAt: "before-leap" },
  );
  expect(killed.code).toBe(137);
  const leap = { sequence_leap: 500 };
  const promote = await pair.holds("b", "promote", { value: "permit", ...lines, ...leap });
  expect(promote.facts).toMatchObject({ role: "primary", leapt: "2" });
  expect(
    await pair.b.query(
      "select nextval('ledger_n_seq')::int > 500 as leapt, nextval('falls') > -5 as falls",
    ),
  ).toEqual([{ leapt: true, falls: true }]);
  expect(await pair.b.query("select nextval('own')::int as own", [], "odd name")).toEqual([
    { own: 506 },
  ]);
  const again = await pair.holds("b", "promote", { value: "permit", ...lines, ...leap });
  expect(again.facts["leapt"]).toBeUndefined();
  expect(stateOf(pair.b)["promoted"]).toBe("2 2");
});
