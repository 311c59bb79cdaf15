// One table that cannot be read or compared stops itself only: it is named, its rows are kept as they are, and all else goes on.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { apply, byHand, cutOff, deltaFolder, loseA } from "../../lab/lostPrimary";
import { fakePrograms, Pair } from "./harness";

jest.setTimeout(420_000);

const MANY = 1500;
let pair: Pair;
beforeEach(async () => {
  pair = await Pair.streaming();
});
afterEach(() => pair.close());

test("an index whose function calls another one by its bare name", async () => {
  const { a } = pair;
  await a.query("create table good (id int primary key, v text)");
  await a.query("create table bad (id int primary key, v text)");
  await a.query(
    "create function inner_one(int) returns int immutable language sql as 'select $1 + 1'",
  );
  await a.query(
    "create function outer_one(int) returns int immutable language sql as 'select inner_one($1)'",
  );
  await a.query("create index on bad (outer_one(id))");
  await cutOff(pair);
  await a.query("insert into bad values (1, 'only at a')");
  await a.query("insert into good values (1, 'only at a')");
  const lines = await loseA(pair);
  const { facts, code, stderr } = await pair.verb("a", "delta", { value: "export", ...lines });
  if (code !== 0) throw new Error(stderr);
  expect(facts).toMatchObject({ delta_inserts: "1", delta_by_hand: "1" });
  expect(byHand(pair)).toEqual([
    expect.stringMatching(
      /^table public.bad cannot be queried here \(function inner_one\(integer\) does not exist.*\): all its rows.* are in a\d+, /,
    ),
  ]);
  const file = /are in (a\d+),/.exec(byHand(pair)[0] ?? "")?.[1] ?? "";
  expect(readFileSync(join(deltaFolder(pair), file), "utf8")).toBe("1\tonly at a\n");
  expect((await apply(pair, facts, "yes")).facts["inserted"]).toBe("1");
  await pair.b.query("checkpoint");
  const joined = await pair.verb("a", "rejoin", { value: "rejoin", ...lines });
  expect([joined.code, joined.facts["streaming"]]).toEqual([0, "yes"]);
});

test.each(["here", "there"])(
  "a server that is lost in the middle, %s, is no reason to leave a table out",
  async (where) => {
    const { a } = pair;
    await a.query("create table good (id int primary key, v text)");
    await cutOff(pair);
    await a.query("insert into good values (1, 'only at a')");
    const lines = await loseA(pair);
    const mark = where === "here" ? "select ctid::text" : "create temp table";
    // As psql ends where its connection is lost.
    const bindir = fakePrograms(pair, {
      psql: `script=$(mktemp); cat >"$script"; if grep -q "${mark}" "$script"; then rm "$script"; echo "server closed the connection" >&2; exit 2; fi
"$real" "$@" <"$script"; code=$?; rm "$script"; exit "$code"`,
    });
    const lost = await pair.verb("a", "delta", { value: "export", bindir, ...lines });
    expect([lost.code, lost.stderr]).toEqual([
      75,
      expect.stringContaining("server closed the connection"),
    ]);
    expect((await pair.observe("a"))["delta"]).toBe("-");
    const { code, facts } = await pair.verb("a", "delta", { value: "export", ...lines });
    expect([code, facts["delta_inserts"], facts["delta_by_hand"]]).toEqual([0, "1", "0"]);
  },
);

test("more tables than one transaction can lock", async () => {
  const { a } = pair;
  await a.query(`do $$ begin for n in 1..${MANY} loop execute format('create table many_%s (id int primary key, v text)', n);
    if n % 100 = 0 then commit; end if; end loop; end $$`);
  await cutOff(pair);
  await a.query(`do $$ begin for n in 1..${MANY} loop execute format('insert into many_%s values (1, ''only at a'')', n);
    if n % 100 = 0 then commit; end if; end loop; end $$`);
  const lines = await loseA(pair);
  const { facts, code, stderr } = await pair.verb(
    "a",
    "delta",
    { value: "export", step_bound: 300, ...lines },
    { bound: 300 },
  );
  if (code !== 0) throw new Error(stderr);
  expect(facts).toMatchObject({
    delta_tables: String(MANY),
    delta_inserts: String(MANY),
    delta_by_hand: "0",
  });
});
