// After an accepted loss every sequence of every database leaps, however many there are and whatever the databases are called; and
// the promotion is not done before that.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caughtUp } from "../../lab/lostPrimary";
import { Pair, type Outcome } from "./harness";

jest.setTimeout(240_000);

const NAMES = [
  "shop=eu",
  "postgresql://x",
  "line\nend\n",
  `it's "quoted" \\ back`,
  "ends with space ",
];
const MANY = 12_000;

let pair: Pair;
let lines: Record<string, string>;
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

beforeAll(async () => {
  pair = await Pair.streaming();
  const { a, b } = pair;
  for (const name of NAMES) {
    await a.query(`create database ${quoted(name)}`);
    await a.query("create sequence own", [], name);
    await a.query("select nextval('own')", [], name);
  }
  await a.query("create sequence full_up maxvalue 100");
  await a.query("select setval('full_up', 100)");
  await a.query(
    `do $$ begin for n in 1..${MANY} loop execute format('create sequence many_%s', n); if n % 500 = 0 then commit; end if; end loop; end $$`,
  );
  await caughtUp(a, b);
  await a.kill();
  lines = pair.epoch(2, "a", "b", "failover");
});
afterAll(() => pair.close());

const promote = (): Promise<Outcome> =>
  pair.verb("b", "promote", { value: "permit", sequence_leap: 1000, step_bound: 60, ...lines });
const next = async (name: string) =>
  (await pair.b.query<{ n: number }>("select nextval('own')::int as n", [], name))[0]?.n;

test("a database that lets nobody in: the others leap, it is named, and nothing counts as done", async () => {
  const rules = join(pair.b.dataDirectory, "pg_hba.conf");
  const before = readFileSync(rules, "utf8");
  writeFileSync(rules, `local "shop=eu" all reject\n${before}`);
  await pair.b.query("select pg_reload_conf()");
  await pair.holds("b", "verify", { value: "accepted", accept_loss: 2, ...lines });
  const first = await promote();
  expect([first.code, first.stderr]).toEqual([
    75,
    expect.stringContaining("sequences did not leap in database shop=eu"),
  ]);
  expect((await pair.observe("b"))["leap"]).toMatch(/^2_,/);
  writeFileSync(rules, before);
  appendFileSync(rules, "\n");
  await pair.b.query("select pg_reload_conf()");
  const second = await promote();
  expect([second.code, second.facts["leapt"]]).toEqual([0, "1"]);
  expect((await pair.observe("b"))["leap"]).toBe("-");
});

test.each(NAMES)("database %j leapt once", async (name) => {
  const n = await next(name);
  // WAL has 32 numbers in advance.
  expect([n === 1002 || n === 1034, n]).toEqual([true, n]);
});

test("so did all of a database with more sequences than one transaction can lock, but for the one without room", async () => {
  const ends: unknown[] = [];
  for (const n of [1, 499, 501, MANY / 2, MANY]) {
    ends.push(...(await pair.b.query(`select last_value::int as at from many_${n}`)));
  }
  expect(ends).toEqual(Array.from({ length: 5 }, () => ({ at: 1001 })));
  expect(await pair.b.query("select last_value::int as at from full_up")).toEqual([{ at: 100 }]);
});
