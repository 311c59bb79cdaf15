// A server that should answer and does not: where and as whom it was asked, and what it said.
import { join } from "node:path";
import { ownedFolder } from "../../lab/postgres/programs";
import { fakePrograms, Pair } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
beforeAll(async () => (pair = await Pair.streaming()));
afterAll(() => pair.close());

const source = (input: Record<string, string | number>) =>
  pair.verb("a", "preflight", { value: "source", ...input });

test.each<[string, () => Record<string, string | number>, number, RegExp]>([
  ["port", () => ({ port: 9 }), 77, /listens on port \d+, not 9\nHINT: set port: \d+ /],
  [
    "socketDirectory",
    () => ({ socket: ownedFolder(join(pair.folder, "elsewhere")) }),
    77,
    /there is no socket \S+elsewhere\/\.s\.PGSQL\.\d+; that of process \d+ is in \/\S+\nHINT: set socketDirectory/,
  ],
  [
    "superuser",
    () => ({ superuser: "nosuchuser" }),
    75,
    /lets nobody in \(socket \S+, user nosuchuser, database \w+, program \S+psql\): .*nosuchuser/,
  ],
  [
    "database",
    () => ({ database: "nosuchdb" }),
    75,
    /lets nobody in .*database nosuchdb.*nosuchdb/,
  ],
  ["binDirectory", () => ({ bindir: "/nowhere" }), 77, /there is no program \/nowhere\/psql/],
])("the wrong %s is named, with what was tried and where it is", async (_, input, code, says) => {
  const outcome = await source(input());
  expect([outcome.code, outcome.facts]).toEqual([code, {}]);
  expect(outcome.stderr).toMatch(says);
  expect(outcome.stderr).not.toMatch(/crash recovery/);
});

test("a statement that fails is not taken for a login that was refused", async () => {
  const bindir = fakePrograms(pair, {
    psql: 'case "$(cat)" in "select 1") echo 1 ;; *) echo "ERROR: of its own" >&2; exit 3 ;; esac',
  });
  const outcome = await source({ bindir });
  expect(outcome.code).toBe(75);
  expect(outcome.stderr).toMatch(
    /ERROR: of its own\nsite a: PostgreSQL answers, but ended the session/,
  );
});

test("observed with the wrong superuser it takes connections, which no recovery does", async () => {
  const { facts } = await pair.verb("a", "observe", { superuser: "nosuchuser" });
  expect(facts).toMatchObject({ role: "starting", ready: "yes" });
  expect(facts["login"]).toContain("nosuchuser");
});

test("one that does not listen yet says how far its recovery is", async () => {
  await pair.a.query("checkpoint");
  await pair.a.query(
    "create table big as select n, repeat('x', 200) from generate_series(1, 200000) n",
  );
  await pair.a.kill();
  const started = pair.a.start().catch(() => undefined);
  let outcome = await source({});
  for (let tries = 0; tries < 50 && !/takes no connections yet/.test(outcome.stderr); tries += 1) {
    if (outcome.code === 0) break;
    outcome = await source({});
  }
  await started;
  expect(outcome.code).toBe(75);
  expect(outcome.stderr).toMatch(/takes no connections yet: starting, in recovery at .* of about/);
});
