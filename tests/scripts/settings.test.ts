// What a role, a database or a login file sets is for applications: our own sessions are the same everywhere.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scriptText } from "../../plan/scripts";
import { loadScripts } from "../../sites/scripts";
import { clusterOwner } from "../../lab/postgres/programs";
import { apply, freezeSenders, loseA } from "../../lab/lostPrimary";
import { until } from "../../lab/postgres/processes";
import { clientAt, Pair, type SiteId } from "./harness";

jest.setTimeout(900_000);

interface Setting {
  readonly [key: string]: unknown;
  readonly name: string;
  readonly vartype: string;
  readonly min: string | null;
  readonly max: string | null;
  readonly enums: readonly string[] | null;
  readonly value: string;
}

let pair: Pair;
let settings: readonly Setting[];
let serving: SiteId = "a";
let epoch = 1;

beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table kept(n int)");
  settings = await pair.a.query<Setting>(
    `select name, vartype, min_val as min, max_val as max, enumvals as enums, reset_val as value from pg_settings
      where context in ('user', 'superuser') and name !~ '^standby[.]' order by name`,
  );
});
afterAll(() => pair.close());

/** Startup options as the library has them. Those of a superuser come on top. */
function pinned(): ReadonlyMap<string, string> {
  const text = `${scriptText(loadScripts(), "lib")}\nset_sessions\nfind_major\nprintf '%s' "$PGOPTIONS$local_options"`;
  const told = execFileSync("sh", ["-s"], {
    ...clusterOwner(),
    cwd: "/",
    input: text,
    encoding: "utf8",
  });
  const words = told
    .replaceAll("\\ ", "\0")
    .split(" ")
    .filter((word) => word !== "" && word !== "-c");
  return new Map(
    words.map((word) => [
      word.split("=", 1)[0] ?? "",
      word.slice(word.indexOf("=") + 1).replaceAll("\0", " "),
    ]),
  );
}

const STRINGS: Readonly<Record<string, readonly string[]>> = {
  DateStyle: ["'SQL, DMY'", "'German'"],
  TimeZone: ["'Asia/Kolkata'", "'America/St_Johns'"],
  client_encoding: ["'LATIN1'", "'SJIS'"],
  search_path: ["'hostile'", "'pg_temp, hostile'"],
  role: ["'nobody_in_particular'", "'pg_monitor'"],
  default_tablespace: ["''", "'pg_default'"],
  temp_tablespaces: ["''", "'pg_default'"],
  default_table_access_method: ["'heap'", "'hostile_heap'"],
  local_preload_libraries: ["'no_such_library'", "'none_either'"],
  session_preload_libraries: ["'no_such_library'", "'none_either'"],
  "plpgsql.extra_errors": ["'all'", "'shadowed_variables'"],
};

/** Two values that are not the default, where there are two. */
function hostile({ name, vartype, min, max, enums, value }: Setting): readonly string[] {
  if (STRINGS[name] !== undefined) return STRINGS[name];
  if (vartype === "bool") return ["on", "off"];
  if (vartype === "enum")
    return (enums ?? [])
      .filter((one) => one !== value)
      .slice(0, 2)
      .map((one) => `'${one}'`);
  if (vartype === "integer" || vartype === "real") return [String(min), String(max)];
  return [];
}

// From a database that is not made hostile.
const on = (text: string) => pair.site(serving).query(text, [], "template1");
async function accepted(name: string, value: string): Promise<boolean> {
  return on(`alter database postgres set "${name}" to ${value}`).then(
    () => true,
    () => false,
  );
}
const reset = () => on("alter database postgres reset all");

/** Facts that no clock, process or position changes. */
async function seen(site: SiteId): Promise<object> {
  const outcome = await pair.verb(site, "observe");
  const moving =
    /^(clock|lsn|receive_lsn|control_lsn|lag_bytes|data_size|pid|set\.synchronous_commit|async_overrides)$/;
  const facts = Object.entries(outcome.facts).filter(([key]) => !moving.test(key));
  return { code: outcome.code, facts: Object.fromEntries(facts) };
}

test("every setting that is pinned is read back as pinned, whatever the database says", async () => {
  const lib = scriptText(loadScripts(), "lib");
  const wrong: string[] = [];
  for (const [name, value] of pinned()) {
    const setting = settings.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (setting === undefined) continue;
    for (const bad of hostile(setting)) {
      if (!(await accepted(setting.name, bad))) continue;
      const one = pair.site(serving);
      const input = `data=${one.dataDirectory}\nstate=${one.stateDirectory}\nsocket=${one.socketDirectory}\nport=${one.port}\nbindir=${one.bindir}\nname=shop`;
      const text = `${lib}\nread_input <<'INPUT'\n${input}\nINPUT\necho "select current_setting('${setting.name}')" | sql`;
      const is = execFileSync("sh", ["-s"], {
        ...clusterOwner(),
        cwd: "/",
        input: text,
        encoding: "utf8",
      }).trimEnd();
      if (is !== value) wrong.push(`${setting.name} = ${bad}: ${is}, not ${value}`);
      await reset();
    }
  }
  expect(wrong).toEqual([]);
});

test("whatever else a database sets, both sites are seen as before", async () => {
  const before = [await seen("a"), await seen("b")];
  const values = [0, 1].map((which) =>
    settings.flatMap((setting) => {
      const value = hostile(setting)[which];
      return value === undefined ? [] : [[setting.name, value] as const];
    }),
  );
  const wrong: string[] = [];
  const tried = new Set<string>();
  for (const list of values) {
    for (let at = 0; at < list.length; at += 20) {
      const group = list.slice(at, at + 20);
      for (const [name, value] of group)
        if (await accepted(name, value)) tried.add(`${name}=${value}`);
      const now = [await seen("a"), await seen("b")];
      await reset();
      if (JSON.stringify(now) !== JSON.stringify(before))
        wrong.push(`${group.map((one) => one.join("=")).join(" ")}: ${JSON.stringify(now)}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(tried.size).toBeGreaterThan(300);
});

const TWENTY = [
  ["default_transaction_isolation", "'serializable'"],
  ["default_transaction_isolation", "'repeatable read'"],
  ["default_transaction_read_only", "on"],
  ["default_transaction_deferrable", "on"],
  ["statement_timeout", "1"],
  ["lock_timeout", "1"],
  ["idle_in_transaction_session_timeout", "1"],
  ["idle_session_timeout", "1"],
  ["synchronous_commit", "'remote_apply'"],
  ["search_path", "'hostile'"],
  ["DateStyle", "'SQL, DMY'"],
  ["IntervalStyle", "'iso_8601'"],
  ["TimeZone", "'Asia/Kolkata'"],
  ["client_encoding", "'LATIN1'"],
  ["bytea_output", "'escape'"],
  ["extra_float_digits", "-15"],
  ["standard_conforming_strings", "off"],
  ["quote_all_identifiers", "on"],
  ["session_preload_libraries", "'no_such_library'"],
  ["local_preload_libraries", "'no_such_library'"],
  ["session_replication_role", "'replica'"],
  ["plpgsql.extra_errors", "'all'"],
  ["client_min_messages", "'debug5'"],
] as const;

test.each(TWENTY)(
  "with %s = %s a site hands over, is proven, and is joined again",
  async (name, value) => {
    const [from, to] = serving === "a" ? (["a", "b"] as const) : (["b", "a"] as const);
    // Only a superuser overrules that one: our own role has it as prepare left it.
    const users =
      name === "session_preload_libraries" ? ["postgres"] : ["postgres", "standby_replicator"];
    for (const user of users) {
      await on(`alter role ${user} in database postgres set "${name}" to ${value}`);
    }
    await on(`alter database postgres set "${name}" to ${value}`);
    epoch += 1;
    try {
      await pair.switchover(from, to, epoch);
      serving = to;
      expect(await pair.observe(to)).toMatchObject({ role: "primary", streaming: "yes" });
    } finally {
      const again = (text: string) => pair.site(serving).query(text, [], "template1");
      await again("alter database postgres reset all");
      for (const user of users) await on(`alter role ${user} in database postgres reset all`);
    }
  },
);

test("what a login file sets for psql and libpq decides nothing", async () => {
  const home = join(pair.folder, serving, "home");
  const mark = join(home, "psqlrc-was-read");
  writeFileSync(join(home, ".psqlrc"), `\\! touch ${mark}\n\\set ON_ERROR_STOP off\n`);
  const env = {
    ...{
      PGTARGETSESSIONATTRS: "read-write",
      PGSSLMODE: "verify-full",
      PGSERVICE: "nowhere",
      PGHOSTADDR: "192.0.2.1",
    },
    ...{
      PGOPTIONS: "-c default_transaction_isolation=serializable",
      PGDATABASE: "template1",
      PGUSER: "nobody",
    },
    ...{
      PGREQUIREAUTH: "none",
      PGPASSWORD: "wrong",
      PGCLIENTENCODING: "SJIS",
      PGTZ: "Asia/Kolkata",
      PGDATESTYLE: "German",
    },
  };
  for (const site of ["a", "b"] as const) {
    const { code, facts, stderr } = await pair.verb(site, "observe", {}, { env });
    expect([code, facts["role"], stderr]).toEqual([
      0,
      site === serving ? "primary" : "standby",
      "",
    ]);
  }
  const other = serving === "a" ? "b" : "a";
  const lines = pair.epoch(epoch, other, serving, "switchover");
  const joined = await pair.verb(other, "rejoin", { value: "rejoin", ...lines }, { env });
  expect([joined.code, joined.stderr]).toEqual([0, ""]);
  expect(existsSync(mark)).toBe(false);
  expect(readFileSync(join(home, ".psqlrc"), "utf8")).toContain("touch");
});

test("under all of them at once a delta is exported and applied as it is without", async () => {
  const other = await Pair.streaming();
  try {
    const { a, b } = other;
    const plain = (site: typeof a, text: string) =>
      clientAt({ ...site, superuser: "plain" } as typeof a, async (client) => {
        await client.query(text);
      });
    await a.query("create role plain superuser login");
    await plain(
      a,
      "create table t(id int primary key, at timestamptz, bytes bytea, f float8, span interval)",
    );
    await plain(
      a,
      "insert into t select n, now(), '\\x00ff', n / 3.0, '1 day 2 s' from generate_series(1, 20) as n",
    );
    for (const [name, value] of TWENTY) {
      await a.query(
        `alter role postgres in database postgres set "${name}" to ${value}`,
        [],
        "template1",
      );
    }
    await until("the other site has them, too", 10_000, async () => {
      const rows = await b.query(
        "select from pg_db_role_setting where cardinality(setconfig) > 10",
        [],
        "template1",
      );
      return rows.length > 0;
    });
    freezeSenders(a);
    await plain(
      a,
      "insert into t values (100, '2026-01-02 03:04:05.678901+00', '\\xdeadbeef', 1e-9 / 3, '1 mon -3 s'); update t set f = f + 1 where id < 4",
    );
    const lines = await loseA(other);
    const { code, stderr, facts } = await other.verb("a", "delta", { value: "export", ...lines });
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("ERROR")]);
    expect(facts).toMatchObject({ delta_inserts: "1", delta_updates: "3", delta_conflicts: "0" });
    const applied = await apply(other, facts, "yes");
    expect([applied.code, applied.facts["applied"]]).toEqual([0, expect.anything()]);
    const same =
      "select at = '2026-01-02 03:04:05.678901+00' and bytes = decode('deadbeef', 'hex') and f = (1e-9 / 3)::float8 and span = '1 mon -3 s' as same from public.t where id = 100";
    await clientAt({ ...b, superuser: "plain" } as typeof b, async (client) => {
      expect((await client.query<{ same: boolean }>(same)).rows).toEqual([{ same: true }]);
    });
  } finally {
    await other.close();
  }
});
