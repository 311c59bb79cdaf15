// What the majors of PostgreSQL want done differently: scripts/versions.sh.
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { findPostgres } from "../../lab/postgres/programs";
import { cutOff, loseA } from "../../lab/lostPrimary";
import { fakePrograms, Pair, password, rowsAt } from "./harness";

jest.setTimeout(120_000);

const { version } = findPostgres();

/** A test of what came with a major; on an older one it is skipped and says so. */
const since = (major: number) =>
  version >= major
    ? { run: test, title: (text: string) => text }
    : {
        run: test.skip,
        title: (text: string) => `${text} (skipped: came with PostgreSQL ${major})`,
      };

test("an empty site with newer programs asks its peer for nothing that is unknown there", async () => {
  const pair = await Pair.create();
  try {
    const other = version === 17 ? 18 : 17;
    const bindir = fakePrograms(pair, { postgres: `echo "postgres (PostgreSQL) ${other}.1"` });
    for (const site of ["a", "b"] as const)
      await pair.holds(site, "prepare", { value: "h", password });
    const lines = pair.epoch(1, "b", "a", "initial");
    const { code, stderr } = await pair.verb("b", "seed", { ...lines, password, bindir });
    const says = `site a runs PostgreSQL ${version}, the programs here are of ${other}`;
    expect([code, stderr]).toEqual([77, expect.stringContaining(says)]);
  } finally {
    await pair.close();
  }
});

describe("a pair", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.streaming();
    await pair.a.query("create table t (id int primary key, v text)");
  });
  afterAll(() => pair.close());

  let epoch = 1;
  /** There and back, so that each site was both. */
  async function thereAndBack(): Promise<void> {
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      epoch += 1;
      await pair.switchover(from, to, epoch);
    }
    expect(await pair.observe("b")).toMatchObject({ role: "standby", streaming: "yes" });
  }

  const limits = since(17);
  limits.run(
    limits.title("flips although the database has a transaction_timeout of 20 ms"),
    async () => {
      await pair.a.query("alter database postgres set transaction_timeout = '20ms'");
      await thereAndBack().finally(() =>
        pair.a.query("alter database postgres reset transaction_timeout"),
      );
    },
  );

  const logins = since(17);
  logins.run(
    logins.title("flips although a login trigger writes, which fails on every standby"),
    async () => {
      await pair.a.query("create table logins (at timestamptz)");
      await pair.a.query(`create function note_login() returns event_trigger language plpgsql as
        $$ begin insert into public.logins values (now()); end $$`);
      await pair.a.query("create event trigger note_login on login execute function note_login()");
      await pair.a.query("alter event trigger note_login enable always");
      const standby = await pair.b
        .query("select 1 as one")
        .catch((error: unknown) => String(error));
      expect(standby).toMatch(/read-only transaction/);
      await thereAndBack();
      expect(await rowsAt(pair.a)).toEqual([]);
      await pair.a.query("drop event trigger note_login");
    },
  );
});

const origins = since(18);
origins.run(
  origins.title(
    "a delta is decoded although the folder holds more origins than are active by default",
  ),
  async () => {
    const pair = await Pair.streaming({
      wal_level: "logical",
      max_active_replication_origins: "20",
    });
    try {
      await pair.a.query("create table t (id int primary key, v text)");
      await pair.a.query("insert into t values (1, 'old')");
      await pair.a.query(
        "select pg_replication_origin_create('from_' || n) from generate_series(1, 15) n",
      );
      await pair.a.query(
        "select pg_replication_origin_advance('from_' || n, '0/1') from generate_series(1, 15) n",
      );
      const delta_slot = "kept";
      await pair.holds("a", "settle", { ...pair.epoch(1, "b", "a", "initial"), delta_slot });
      await cutOff(pair);
      await pair.a.query("delete from t");
      await pair.a.query("checkpoint");
      const lines = await loseA(pair);
      const { facts } = await pair.holds("a", "delta", { value: "export", delta_slot, ...lines });
      expect(facts).toMatchObject({ delta_way: "decoding", delta_deletes: "1" });
    } finally {
      await pair.close();
    }
  },
);

const libraries = since(15);
libraries.run(
  libraries.title("an archive library counts as a way to archive, and two archives of it as two"),
  async () => {
    const pair = await Pair.streaming({ archive_library: "basic_archive" });
    try {
      const archivesTo = async (a: string, b: string) => {
        for (const [site, folder] of [
          [pair.a, a],
          [pair.b, b],
        ] as const) {
          const line = `basic_archive.archive_directory = '${folder}'\n`;
          appendFileSync(join(site.dataDirectory, "postgresql.conf"), line);
        }
        const facts = await Promise.all([pair.observe("a"), pair.observe("b")]);
        return facts.map((one) => one["set.archive_command"]);
      };
      const [one, other] = await archivesTo("/same", "/same");
      expect([one, other]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), one]);
      const [here, there] = await archivesTo("/here", "/there");
      expect(here).not.toBe(there);
    } finally {
      await pair.close();
    }
  },
);
