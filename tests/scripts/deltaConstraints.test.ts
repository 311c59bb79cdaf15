// What a schema promises holds after a delta was applied, whatever kind of table and constraint it is; else nothing of it is kept.
import { apply, cutOff, loseA } from "../../lab/lostPrimary";
import { Pair } from "./harness";

jest.setTimeout(120_000);

interface Case {
  /** Before the cut. */
  readonly schema: string;
  /** Only site a has it. */
  readonly lost: string;
  /** The new primary's own, meanwhile. */
  readonly kept: string;
  /** What is said of it. */
  readonly named: RegExp;
}

const parents =
  "create table parent (id int primary key); insert into parent select generate_series(1, 9);";
const halves = (name: string) =>
  `create table ${name}_low partition of ${name} for values from (0) to (100); create table ${name}_high partition of ${name} for values from (100) to (200);`;

const CASES: Readonly<Record<string, Case>> = {
  "a foreign key of a partitioned table": {
    schema: `${parents} create table child (id int primary key, parent int references parent) partition by range (id); ${halves("child")}`,
    lost: "insert into child values (5, 9)",
    kept: "delete from parent where id = 9",
    named:
      /foreign key child_parent_fkey of public.child would have 1 rows without a row in public.parent, such as \(5,9\)/,
  },
  "a foreign key to a partitioned table": {
    schema: `create table parent (id int primary key) partition by range (id); ${halves("parent")} insert into parent select generate_series(1, 9);
      create table child (id int primary key, parent int references parent)`,
    lost: "insert into child values (5, 9)",
    kept: "delete from parent where id = 9",
    named: /foreign key child_parent_fkey of public.child would have 1 rows .*, such as \(5,9\)/,
  },
  "a row of a partition that others point to": {
    schema: `create table parent (id int primary key) partition by range (id); ${halves("parent")} insert into parent select generate_series(1, 9);
      create table child (id int primary key, parent int references parent)`,
    lost: "delete from parent where id = 9",
    kept: "insert into child values (5, 9)",
    named: /would have 1 rows without a row in public.parent, such as \(5,9\)/,
  },
  "a key that may wait for the commit": {
    schema:
      "create table child (id int primary key, code int unique deferrable initially deferred)",
    lost: "insert into child values (1, 7)",
    kept: "insert into child values (2, 7)",
    named: /constraint child_code_key of public.child would be broken by 1 pairs of rows/,
  },
  "an exclusion that may wait for the commit": {
    schema:
      "create table child (id int primary key, during int4range, exclude using gist (during with &&) deferrable)",
    lost: "insert into child values (1, '[1,5)')",
    kept: "insert into child values (2, '[4,9)')",
    named: /constraint child_during_excl of public.child would be broken by 1 pairs of rows/,
  },
};

let pair: Pair;
afterEach(() => pair.close());

test.each(Object.keys(CASES))("%s", async (name) => {
  const one = CASES[name];
  if (one === undefined) throw new Error(name);
  pair = await Pair.streaming();
  await pair.a.query(one.schema);
  await cutOff(pair);
  await pair.a.query(one.lost);
  const lines = await loseA(pair);
  await pair.b.query(one.kept);
  const rows = () => pair.b.query("select (select json_agg(c order by id) from child c) as child");
  const before = await rows();
  const { facts, code, stderr } = await pair.verb("a", "delta", { value: "export", ...lines });
  if (code !== 0) throw new Error(stderr);
  for (const value of ["dry", "yes"] as const) {
    const refused = await apply(pair, facts, value);
    expect([refused.code, refused.stderr]).toEqual([75, expect.stringMatching(one.named)]);
  }
  expect(await rows()).toEqual(before);
});

test("where all of it holds, it is applied", async () => {
  pair = await Pair.streaming();
  await pair.a
    .query(`${parents} create table child (id int primary key, parent int references parent, code int unique deferrable,
    during int4range, exclude using gist (during with &&) deferrable)`);
  await cutOff(pair);
  await pair.a.query(
    "insert into child values (1, 9, 7, '[1,5)'), (2, null, null, null), (3, 8, 8, '[5,6)')",
  );
  const lines = await loseA(pair);
  await pair.b.query("insert into child values (4, 9, 9, '[6,7)')");
  const { facts } = await pair.verb("a", "delta", { value: "export", ...lines });
  const applied = await apply(pair, facts, "yes");
  expect([applied.code, applied.facts["inserted"]]).toEqual([0, "3"]);
});
