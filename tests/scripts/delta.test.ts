/** The writes that only a lost primary holds are exported, classed against the new one, and applied. */
import { existsSync } from "node:fs";
import type { Client } from "pg";
import { apply, byHand, cutOff, deltaFolder, deltaRows, loseA } from "../../lab/lostPrimary";
import { clientAt, Pair, rowsAt } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;

beforeEach(async () => {
  pair = await Pair.streaming();
});
afterEach(() => pair.close());

const tableAt = (site: "a" | "b") => rowsAt(pair.site(site));
const session = (work: (client: Client) => Promise<void>) => clientAt(pair.a, work);

test("inserts, updates, deletes and key changes reach the new primary; conflicts wait for a word", async () => {
  await pair.a.query(
    `create table t(id int primary key, v text, big text, twice int generated always as (id * 2) stored);
     create table child(a int, b int generated always as identity, t_id int references t, j json, primary key (a, b));
     insert into t select g, 'v' || g, repeat(md5(g::text), 3000) from generate_series(1, 20) g`,
  );
  await cutOff(pair);
  await pair.a.query("insert into t values (100, E'tab\\tback\\\\slash\\nline', null)");
  await pair.a.query("update t set v = 'upd' where id = 1");
  await pair.a.query("delete from t where id = 2");
  await pair.a.query("update t set id = 300 where id = 3");
  await pair.a.query("update t set id = 400 where id = 4; insert into t values (4, 'again', '')");
  await pair.a.query("update t set v = 'theirs' where id in (5, 6)");
  await pair.a.query("delete from t where id = 7");
  await pair.a.query("insert into t values (500, 'from a', '')");
  await pair.a.query(`insert into child(a, t_id, j) values (1, 100, '{"b": 1, "a": 2, "a": 3}')`);
  await pair.a.query(
    "begin; insert into t values (101, '', ''); savepoint x; insert into t values (102, '', ''); rollback to x; savepoint y; insert into t values (103, '', ''); release y; commit",
  );
  await pair.a.query("begin; insert into t values (999, 'aborted', ''); rollback");
  const before = await tableAt("a");
  const lines = await loseA(pair);
  await pair.b.query(
    "update t set v = 'ours' where id in (5, 7); delete from t where id = 6; insert into t values (500, 'from b', '')",
  );

  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(facts).toMatchObject({
    delta_transactions: "10",
    delta_tables: "2",
    delta_inserts: "6",
    delta_updates: "3",
    delta_key_changes: "2",
    delta_deletes: "1",
    delta_conflicts: "3",
    // Row 7 was deleted here and changed there; nothing tells it from 500, which is new there too but known here.
    delta_unsure: "1",
    // The identity column's sequence.
    delta_by_hand: "1",
  });
  // Read only: the site that holds them is as it was.
  expect(await tableAt("a")).toEqual(before);
  expect(await pair.observe("a")).toMatchObject({ role: "standby", quarantine: "yes" });

  const untouched = await tableAt("b");
  const dry = await apply(pair, facts, "dry");
  expect([dry.code, dry.facts["skipped"]]).toEqual([0, "3"]);
  expect(await tableAt("b")).toEqual(untouched);

  const applied = await apply(pair, facts, "yes");
  expect(applied.facts).toMatchObject({
    inserted: "5",
    updated: "1",
    key_changed: "2",
    deleted: "1",
    skipped: "3",
    overruled: "0",
  });
  const rows = new Map((await tableAt("b")).map((row) => [row.id, row.v]));
  expect([rows.get(1), rows.has(2), rows.has(3), rows.get(300), rows.get(400)]).toEqual([
    "upd",
    false,
    false,
    "v3",
    "v4",
  ]);
  expect([rows.get(4), rows.get(100), rows.has(102), rows.has(103), rows.has(999)]).toEqual([
    "again",
    "tab\tback\\slash\nline",
    false,
    true,
    false,
  ]);
  expect([rows.get(5), rows.has(6), rows.get(7), rows.get(500)]).toEqual([
    "ours",
    false,
    "ours",
    "from b",
  ]);
  expect(await pair.b.query("select j::text from child")).toEqual([
    { j: '{"b": 1, "a": 2, "a": 3}' },
  ]);

  // Twice changes nothing; the old primary's word changes the three conflicts and nothing else.
  const once = await tableAt("b");
  expect((await apply(pair, facts, "yes")).facts).toMatchObject({ before: "t", inserted: "0" });
  expect(await tableAt("b")).toEqual(once);
  expect((await apply(pair, facts, "yes", "old")).facts).toMatchObject({ overruled: "3" });
  const overruled = new Map((await tableAt("b")).map((row) => [row.id, row.v]));
  expect([overruled.get(5), overruled.get(6), overruled.get(500)]).toEqual([
    "theirs",
    "theirs",
    "from a",
  ]);
  expect(overruled.size).toBe(once.length + 1);
  expect(await pair.writers()).toBe(1);
});

test("a transaction that began before the cut and was committed after it is in the delta", async () => {
  await pair.a.query("create table t(id int primary key, v text)");
  await session(async (client) => {
    await client.query("begin");
    await client.query("insert into t values (1, 'early')");
    await pair.a.query("select pg_log_standby_snapshot()").catch(() => undefined);
    await pair.a.query("checkpoint");
    await cutOff(pair);
    await client.query("commit");
  });
  const lines = await loseA(pair);
  expect(await tableAt("b")).toEqual([]);
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(facts).toMatchObject({
    delta_transactions: "1",
    delta_inserts: "1",
    delta_conflicts: "0",
  });
  await apply(pair, facts, "yes");
  expect(await tableAt("b")).toEqual([{ id: 1, v: "early" }]);
});

test("a transaction prepared before the cut and committed after it is named, and its rows are in the delta", async () => {
  await pair.close();
  pair = await Pair.streaming({ max_prepared_transactions: "4" });
  await pair.a.query("create table t(id int primary key, v text)");
  await pair.a.query("begin; insert into t values (1, 'early'); prepare transaction 'it''s'");
  await cutOff(pair);
  await pair.a.query("commit prepared 'it''s'");
  await pair.a.query("begin; insert into t values (2, 'late'); prepare transaction 'two'");
  await pair.a.query("commit prepared 'two'");
  await pair.a.query("begin; insert into t values (3, 'open'); prepare transaction 'three'");
  const lines = await loseA(pair);
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(facts).toMatchObject({ delta_transactions: "2", delta_inserts: "2" });
  expect(byHand(pair)).toEqual([
    "transaction 'it''s' is prepared at site b; if it was committed here: commit prepared 'it''s' there",
    "transaction three is prepared here and not decided: it is in no delta",
  ]);
  // It holds its row at b: the delta waits for a person instead of waiting for ever.
  const waited = await apply(pair, facts, "yes");
  expect([waited.code, await tableAt("b")]).toEqual([75, []]);
  await pair.b.query("commit prepared 'it''s'");
  expect((await apply(pair, facts, "yes")).facts).toMatchObject({ inserted: "1", skipped: "1" });
  expect((await tableAt("b")).map((row) => row.id)).toEqual([1, 2]);
});

test("what cannot be carried over as rows is named for a person", async () => {
  await pair.a.query(
    `create table t(id int primary key, v text); create table bare(v text); create unlogged table fast(i int);
     create sequence numbers; create table emptied(i int primary key);
     insert into bare values ('x'), ('y'); insert into emptied values (1), (2)`,
  );
  await cutOff(pair);
  await pair.a.query("insert into bare values ('new'), ('new')");
  await pair.a.query("delete from bare where v = 'x'");
  await pair.a.query("update bare set v = 'yy' where v = 'y'");
  await pair.a.query("select nextval('numbers')");
  await pair.a.query("truncate emptied");
  await pair.a.query("insert into emptied values (3)");
  await pair.a.query("create table late(i int primary key); insert into late values (1)");
  await pair.a.query("select lo_from_bytea(4711, 'x')");
  const lines = await loseA(pair);
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(byHand(pair)).toEqual([
    expect.stringMatching(/^definitions were changed .* table public\.late/),
    "large objects were written: 4711",
    expect.stringMatching(/^sequence public\.numbers: at 33 here, at 10001 at site b/),
    expect.stringMatching(/^table public\.bare has no key: 1 updates and 1 deletes/),
    expect.stringMatching(/^table public\.emptied was truncated or rewritten/),
    expect.stringMatching(/^table public\.late differs at site b/),
    expect.stringMatching(/^unlogged table public\.fast/),
  ]);
  expect((await apply(pair, facts, "yes")).facts).toMatchObject({ inserted: "3", deleted: "0" });
  expect(await pair.b.query("select v from bare order by v")).toEqual(
    ["new", "new", "x", "y"].map((v) => ({ v })),
  );
  expect(await pair.b.query("select i from emptied order by i")).toEqual(
    [1, 2, 3].map((i) => ({ i })),
  );
  expect((await apply(pair, facts, "yes")).facts).toMatchObject({ before: "t", inserted: "0" });
});

test("writes of nobody: diverged, and the delta is empty", async () => {
  await pair.a.query("create table t(id int primary key, v text)");
  await cutOff(pair);
  await pair.a.query("begin; insert into t values (1, 'aborted'); rollback");
  await pair.a.query("analyze t");
  await pair.a.query("checkpoint");
  const lines = await loseA(pair);
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(facts).toMatchObject({ delta_transactions: "0", delta_rows: "0", delta_by_hand: "0" });
  expect((await apply(pair, facts, "yes")).facts).toMatchObject({ rows: "0", skipped: "0" });
});

test("a site that can follow has no delta and stays as it is", async () => {
  await pair.a.query("create table t(id int primary key, v text)");
  const lines = await loseA(pair);
  expect((await pair.holds("a", "delta", { value: "export", ...lines })).facts).toEqual({
    delta: "none",
  });
  expect((await pair.holds("a", "rejoin", lines)).facts["way"]).toBe("follow");
  expect((await pair.holds("a", "delta", { value: "export", ...lines })).facts).toEqual({
    delta: "none",
  });
});

test("killed anywhere, the export is done again and says the same", async () => {
  await pair.a.query("create table t(id int primary key, v text)");
  await cutOff(pair);
  await pair.a.query("insert into t values (1, 'only here')");
  const lines = await loseA(pair);
  for (const failAt of [
    "signal-placed",
    "delta-scanned",
    "delta-compared",
    "delta-before-rename",
    "delta-before-marker",
  ]) {
    const killed = await pair.verb("a", "delta", { value: "export", ...lines }, { failAt });
    expect([failAt, killed.code]).toEqual([failAt, 137]);
    expect(await pair.writers()).toBe(1);
    expect((await pair.holds("a", "delta", { value: "status" })).facts).toMatchObject({
      delta: "none",
    });
  }
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(deltaRows(pair).map(({ row }) => [row["id"], row.delta_class])).toEqual([[1, "absent"]]);
  expect(existsSync(`${deltaFolder(pair)}/delta.sql`)).toBe(true);
  // Asked again it is not made again.
  const again = await pair.holds("a", "delta", { value: "export", ...lines });
  expect([again.facts, again.stderr]).toEqual([facts, ""]);
});
