/** What the heap of a lost primary does not show: removed rows, by a slot that was kept; and what no standby can read. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { apply, byHand, cutOff, loseA } from "../../lab/lostPrimary";
import { clusterOwner } from "../../lab/postgres/programs";
import { guardProgram } from "../../sites/guardProgram";
import { loadScripts } from "../../sites/scripts";
import { clientAt, Pair, rowsAt } from "./harness";

jest.setTimeout(180_000);

let pair: Pair;

beforeEach(async () => {
  pair = await Pair.streaming();
});
afterEach(() => pair.close());

const tableAt = (site: "a" | "b") => rowsAt(pair.site(site));
const session = (work: (client: Client) => Promise<void>) => clientAt(pair.a, work);

test("of two hundred sub-transactions before and after the cut, more than a backend remembers, the kept ones are in it", async () => {
  await pair.a.query("create table t(id int primary key, v text); insert into t values (0, '')");
  const nested = (from: number, to: number) =>
    `do $$ begin for n in ${from}..${to} loop
      begin
        insert into t values (n, 'sub');
        begin
          update t set v = 'last ' || n where id = 0;
          if n % 2 = 0 then raise 'inner'; end if;
        exception when raise_exception then null; end;
        if n % 3 = 0 then raise 'outer'; end if;
      exception when raise_exception then null; end;
    end loop; end $$`;
  await session(async (client) => {
    await client.query("begin");
    await client.query(nested(1, 100));
    await pair.a.query("checkpoint");
    await cutOff(pair);
    await client.query(nested(101, 200));
    await client.query("commit");
  });
  const before = await tableAt("a");
  const lines = await loseA(pair);
  for (const failAt of ["alone-marked", "alone-renamed", "alone-recovered"]) {
    const killed = await pair.verb("a", "delta", { value: "export", ...lines }, { failAt });
    expect([failAt, killed.code]).toEqual([failAt, 137]);
    // Somebody starts it: where it has its name it has its signal, and stays `starting`.
    await pair.a.start(5000).catch(() => undefined);
    expect([failAt, await pair.writers()]).toEqual([failAt, 1]);
  }
  const { facts } = await pair.holds("a", "delta", { value: "export", ...lines });
  expect(facts).toMatchObject({
    delta_transactions: "1",
    delta_conflicts: "0",
    delta_updates: "1",
  });
  await apply(pair, facts, "yes");
  expect(before).toHaveLength(1 + 134);
  expect(await tableAt("b")).toEqual(before);
});

test("with a logical slot that was kept, removed rows are known: decoded on a copy, whole ones where the table says all", async () => {
  await pair.close();
  pair = await Pair.streaming({ wal_level: "logical" });
  await pair.a.query(
    `create table t(id int primary key, v text, tags text[], twice int generated always as (id * 2) stored);
     create table bare("V v" text, n int); alter table bare replica identity full; create table blind(v text);
     insert into t select g, 'v' || g, '{x}' from generate_series(1, 20) g;
     insert into bare select 'b' || g % 3, g % 3 from generate_series(1, 6) g; insert into blind values ('old')`,
  );
  const delta_slot = "kept";
  await pair.holds("a", "settle", { ...pair.epoch(1, "b", "a", "initial"), delta_slot });
  await cutOff(pair);
  await pair.a.query("delete from t where id in (2, 7); update t set id = 300 where id = 3");
  await pair.a.query("insert into t values (50, E'it''s\n[x]: new-tuple: y', '{\"a b\"}')");
  await pair.a.query("delete from t where id = 50; insert into t values (51, 'kept', null)");
  await pair.a.query(`delete from bare where ctid = (select min(ctid) from bare where n = 1)`);
  await pair.a.query(`update bare set "V v" = 'new' where n = 2; delete from blind`);
  await pair.a.query(
    "insert into bare values ('once', 9), ('gone', 9); delete from bare where \"V v\" = 'gone'",
  );
  const bareAt = (site: "a" | "b") =>
    pair.site(site).query(`select "V v" as v, n from bare order by 1, 2`);
  const before = [await tableAt("a"), await bareAt("a")];
  const lines = await loseA(pair);
  await pair.b.query("update t set v = 'ours' where id = 7");

  for (const failAt of ["delta-copied", "delta-copy-started"]) {
    const input = { value: "export", delta_slot, ...lines };
    expect((await pair.verb("a", "delta", input, { failAt })).code).toBe(137);
    expect([failAt, await pair.writers()]).toEqual([failAt, 1]);
  }
  const input = { value: "export", delta_slot, ...lines };
  const { facts } = await pair.holds("a", "delta", input);
  expect(facts).toMatchObject({ delta_way: "decoding", delta_deletes: "5", delta_conflicts: "1" });
  expect(byHand(pair)).toEqual([expect.stringMatching(/^table public\.blind .* not FULL/)]);
  expect(existsSync(`${pair.a.dataDirectory}.decode`)).toBe(false);
  expect(existsSync(join(pair.a.dataDirectory, "standby.signal"))).toBe(true);

  await apply(pair, facts, "yes");
  await apply(pair, facts, "yes");
  const ours = { id: 7, v: "ours" };
  const rows = [...(before[0] as { id: number; v: string }[]), ours].sort((x, y) => x.id - y.id);
  expect([await tableAt("b"), await bareAt("b")]).toEqual([rows, before[1]]);
});

test("the slot is kept at the primary only, and the guard moves it up to what the standby has replayed", async () => {
  await pair.close();
  pair = await Pair.streaming({ wal_level: "logical" });
  const delta_slot = "kept";
  const slots = async (site: "a" | "b") =>
    pair.site(site).query<{
      name: string;
      lsn: string;
    }>("select slot_name as name, confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_type = 'logical'");
  for (const [from, to, epoch] of [
    ["a", "b", 2],
    ["b", "a", 3],
  ] as const) {
    await pair.switchover(from, to, epoch);
    const lines = { ...pair.epoch(epoch, from, to, "switchover"), delta_slot };
    for (const site of [to, from]) await pair.holds(site, "settle", lines);
    expect([await slots(to), await slots(from)]).toMatchObject([[{ name: "kept" }], []]);
  }
  const [before] = await slots("a");
  await pair.a.query("create table t as select generate_series(1, 1000)");
  await cutOff(pair);
  const input = Object.entries({ ...pair.settings("a"), delta_slot });
  const program = guardProgram(loadScripts()).replace(
    /guard_main "\$@"\n$/,
    `read_input <<'IN'\n${input.map(([key, value]) => `${key}=${value}\n`).join("")}IN\nask_bound=5\nask_slot\n`,
  );
  execFileSync("sh", ["-s"], { input: program, cwd: "/", ...clusterOwner() });
  const [after] = await slots("a");
  const ahead = await pair.a.query<{ ahead: boolean }>(
    `select '${after?.lsn ?? ""}'::pg_lsn > '${before?.lsn ?? ""}'::pg_lsn as ahead`,
  );
  expect(ahead).toEqual([{ ahead: true }]);
});

test("without such a slot, or one that does not reach back to the fork, the heap tells what it can", async () => {
  await pair.a.query("create table t(id int primary key, v text); insert into t values (1, '')");
  await cutOff(pair);
  await pair.a.query("delete from t");
  const lines = await loseA(pair);
  const input = { value: "export", delta_slot: "none", ...lines };
  const { facts, stderr } = await pair.holds("a", "delta", input);
  expect(facts).toMatchObject({ delta_way: "heap", delta_deletes: "1" });
  expect(stderr).toMatch(/slot none does not reach back to .*: the rows are read from the heap/);
});
