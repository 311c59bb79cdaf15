import { Pair, stateOf } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger(n int primary key)");
});
afterAll(() => pair.close());

const count = "select count(*)::int as n from ledger";

test("a switchover by verbs alone, and back again, keeps every row and one writer", async () => {
  await pair.a.query("insert into ledger select generate_series(1, 1000)");
  const [fence, verify, promote, rejoin] = await pair.switchover("a", "b", 2);
  const token = fence?.facts["token"]?.split(",") ?? [];
  expect(token.slice(0, 3)).toEqual(["v1", (await systemOf()) ?? "", "1"]);
  expect(verify?.facts).toMatchObject({ replayed: token[4], permit: `2,${token[9]}` });
  expect(promote?.facts).toMatchObject({ role: "primary", timeline: "2" });
  expect(rejoin?.facts).toEqual({ way: "follow", streaming: "yes" });

  await pair.b.query("insert into ledger select generate_series(1001, 2000)");
  await pair.switchover("b", "a", 3);
  expect(await pair.a.query(count)).toEqual([{ n: 2000 }]);
  expect(await pair.writers()).toBe(1);
});

async function systemOf(): Promise<string | undefined> {
  return (await pair.a.controlData()).get("Database system identifier");
}

test("after it, no slot, token or permit of the pair is left over", async () => {
  const slots = "select slot_name, active from pg_replication_slots";
  expect(await pair.a.query(slots)).toEqual([{ slot_name: "standby_b", active: true }]);
  expect(await pair.b.query(slots)).toEqual([]);
  expect(Object.keys(stateOf(pair.a)).sort()).toEqual(["promoted", "record", "run", "settled"]);
});

test("observe tells both roles, the pair's streaming and the last transition", async () => {
  const [a, b] = [await pair.observe("a"), await pair.observe("b")];
  const shared = { record_epoch: "3", record_from: "b", record_to: "a", settled: "3" };
  expect(a).toMatchObject({ ...shared, role: "primary", streaming: "yes", signal: "no" });
  expect(b).toMatchObject({ ...shared, role: "standby", streaming: "yes", signal: "yes" });
  expect(b).toMatchObject({
    upstream: `${pair.a.host}:${pair.a.port}`,
    timeline: "3",
    missing: "-",
  });
  expect(b["fork"]).toMatch(/^1:0\/[0-9A-F]+,2:0\/[0-9A-F]+$/);
  expect(a).toMatchObject({ "set.synchronous_commit": "on", foreign_senders: "0" });
});

test("a transaction, its sub-transaction and a prepared one open at the fence are not half there", async () => {
  await pair.a.query("create table half(n int)");
  await pair.a.query(
    "do $$ begin insert into half values (1); begin insert into half values (2); raise 'x'; exception when others then null; end; end $$",
  );
  await pair.switchover("a", "b", 4);
  expect(await pair.b.query("select n from half")).toEqual([{ n: 1 }]);
  await pair.switchover("b", "a", 5);
});

test("a synchronous_standby_names that came along does not hold up the new primary", async () => {
  await pair.a.query("alter system set synchronous_standby_names = 'standby_b'");
  await pair.a.query("select pg_reload_conf()");
  await pair.b.query("alter system set synchronous_standby_names = 'standby_a'");
  await pair.switchover("a", "b", 6);
  await pair.b.query("insert into ledger values (-6)");
  // Emptied by the promotion, back once the other site streams.
  expect(await pair.b.query("show synchronous_standby_names")).toEqual([
    { synchronous_standby_names: "standby_a" },
  ]);
});
