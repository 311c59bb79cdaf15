import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../lab/postgres/processes";
import { clusterOwner, ownedFolder } from "../../lab/postgres/programs";
import { otherSite } from "../../plan/terms";
import { fakePrograms, Pair, password, type Outcome, type SiteId } from "./harness";

jest.setTimeout(240_000);

// Both sites see the tablespace under one path, as two hosts do: site b has a mount namespace of its own, which takes root.
const root = process.getuid?.() === 0;
const cells = root ? describe : describe.skip;

let pair: Pair;
let keeper: ChildProcess;
/** Where the tablespace lies, as both sites name it, and what that is at each as the test sees it. */
let place: string;
let seen: Readonly<Record<SiteId, string>>;
let epoch = 1;
let serving: SiteId = "a";
let lines: Record<string, string>;

const asOwner = (): readonly string[] => {
  const { uid = 0, gid = 0 } = clusterOwner() ?? {};
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"];
};

beforeAll(async () => {
  if (!root) return;
  pair = await Pair.create();
  place = ownedFolder(join(pair.folder, "fast"));
  seen = { a: place, b: ownedFolder(join(pair.folder, "fast-of-b")) };
  const text = `mount --bind ${seen.b} ${place} && echo ready && exec sleep 600`;
  keeper = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", text]);
  await new Promise((resolve) => keeper.stdout?.once("data", resolve));
  const namespace = `--mount=/proc/${String(keeper.pid)}/ns/mnt`;
  pair.entrances.b = ["nsenter", namespace, "--", ...asOwner()];
  await pair.a.query(`create tablespace fast location '${place}'`);
  await pair.a.query("create table ledger(n bigint primary key, at text) tablespace fast");
  await write("a", "kept");
  lines = pair.epoch(1, "b", "a", "initial");
  await pair.holds("a", "prepare", { value: "hash-a", password });
  await pair.holds("b", "prepare", { value: "hash-b", password });
  await pair.holds("a", "promote", { value: "initial", ...lines });
});
afterAll(async () => {
  if (!root) return;
  await pair.close();
  keeper.kill("SIGKILL");
});

const write = (site: SiteId, at: string) =>
  pair
    .site(site)
    .query(
      "insert into ledger select coalesce((select max(n) from ledger), 0) + n, $1 from generate_series(1, 50) as n",
      [at],
    );

function start(site: SiteId): void {
  const { bindir, dataDirectory, dir } = pair.site(site);
  const [program = "", ...words] = pair.entrances[site] ?? asOwner();
  const log = join(dir, "run/by-hand.log");
  const call = [join(bindir, "pg_ctl"), "start", "-w", "-D", dataDirectory, "-l", log];
  const ran = spawnSync(program, [...words, ...call], { stdio: "ignore" });
  if (ran.status !== 0) throw new Error(`site ${site} does not start`);
}

/** The serving site is lost with rows that only it has. */
async function diverge(before: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
  const [from, to] = [serving, otherSite(serving)];
  await pair.site(to).stop();
  await write(from, "lost");
  await before();
  await pair.site(from).kill();
  start(to);
  epoch += 1;
  lines = pair.epoch(epoch, from, to, "failover");
  await pair.holds(to, "verify", { value: "accepted", accept_loss: epoch, ...lines });
  await pair.holds(to, "promote", { value: "permit", ...lines });
  serving = to;
  await write(to, "kept");
}

const rejoin = (more = {}, failAt?: string): Promise<Outcome> =>
  pair.verb(
    otherSite(serving),
    "rejoin",
    { value: "rejoin", discard_delta: epoch, ...lines, ...more },
    failAt === undefined ? {} : { failAt },
  );

/** Without pg_rewind only a copy is left. */
function noRewind(more = {}): string {
  const bindir = fakePrograms(pair, more);
  rmSync(join(bindir, "pg_rewind"));
  return bindir;
}

async function isHealed(): Promise<void> {
  const site = otherSite(serving);
  const count =
    "select count(*)::int as n, count(*) filter (where at = 'lost')::int as lost from ledger";
  const rows = await pair.site(serving).query(count);
  await until("the standby has the rows", 5000, async () => {
    const here = await pair.site(site).query(count);
    return JSON.stringify(here) === JSON.stringify(rows);
  });
  const where =
    "select pg_tablespace_location(oid) as at from pg_tablespace where spcname = 'fast'";
  expect(await pair.site(site).query(where)).toEqual([{ at: place }]);
  expect(readdirSync(seen[site])).toEqual([expect.stringMatching(/^PG_/)]);
  const { dataDirectory } = pair.site(site);
  expect([".rejoin", ".seed"].filter((end) => existsSync(dataDirectory + end))).toEqual([]);
  expect(await pair.writers()).toBe(1);
}

cells(`a tablespace${root ? "" : " (skipped: mount namespaces need root)"}`, () => {
  test("without a folder for it, or with another's data in it, nothing is copied", async () => {
    const aside = `${seen.b}-aside`;
    const input = { ...lines, password };
    const [named = ""] = readdirSync(seen.a); // PG_15_202209061, after the major
    writeFileSync(join(seen.b, named), "");
    const taken = await pair.verb("b", "seed", input);
    expect([taken.code, taken.stderr]).toEqual([
      77,
      expect.stringMatching(/of another database.*\nHINT: .*mv /),
    ]);
    rmSync(join(seen.b, named));
    const inside = pair.entrances.b;
    delete pair.entrances.b;
    renameSync(place, aside);
    const missing = await pair.verb("b", "seed", input);
    renameSync(aside, place);
    if (inside !== undefined) pair.entrances.b = inside;
    expect([missing.code, missing.stderr]).toEqual([
      77,
      expect.stringMatching(
        /is missing here\nHINT: mount its disk .*install --directory --owner=postgres --mode=700/,
      ),
    ]);
    expect(existsSync(`${pair.b.dataDirectory}.seed`)).toBe(false);
  });

  test.each(["before-rename", "seed-ready", "place-taken"])(
    "a seed killed at %s is ended by the next run",
    async (at) => {
      const killed = await pair.verb("b", "seed", { ...lines, password }, { failAt: at });
      expect(killed.code).toBe(137);
    },
  );

  test("a seed puts it where the peer has it", async () => {
    await pair.holds("b", "seed", { ...lines, password });
    await isHealed();
  });

  test("a copy anew takes its place, although the old one lies there", async () => {
    const own = ownedFolder(join(pair.folder, "own"));
    await diverge(async () => {
      await pair.a.query(`create tablespace own location '${own}'`);
      await pair.a.query("create table mine(n int) tablespace own");
    });
    const done = await rejoin({ bindir: noRewind() });
    expect(readdirSync(own)).toEqual([]);
    expect([done.code, done.stderr]).toEqual([0, expect.stringMatching(/reseed: about/)]);
    await isHealed();
  });

  test("a rewind leaves it where it is", async () => {
    await diverge();
    const done = await rejoin();
    expect([done.code, done.facts["way"]]).toEqual([0, "rewind"]);
    await isHealed();
  });

  test.each([
    "reseed-marked",
    "reseed-copied",
    "reseed-aside",
    "remake-ready",
    "place-taken",
    "remake-renamed",
  ])("a copy killed at %s is ended by the next run", async (at) => {
    await diverge();
    const input = { bindir: noRewind() };
    expect((await rejoin(input, at)).code).toBe(137);
    const done = await rejoin(input);
    expect([done.code, done.stderr]).toEqual([0, expect.anything()]);
    await isHealed();
  });

  test("where two copies do not fit on its disk the old one goes first, and where one does not fit nothing goes", async () => {
    await diverge();
    const site = otherSite(serving);
    const old = process.env["PATH"];
    process.env["PATH"] = `${fakeDf(1000)}:${old ?? ""}`;
    const bindir = noRewind();
    const huge = noRewind({ psql: `"$real" "$@" | sed '2s/^[0-9]*$/999999999999/'` });
    const refused = await rejoin({ bindir: huge });
    const kept = existsSync(pair.site(site).dataDirectory);
    const done = await rejoin({ bindir });
    process.env["PATH"] = old;
    expect([refused.code, refused.stderr, kept]).toEqual([
      77,
      expect.stringMatching(/MB are free at .*, the old copy counted in, .*\nHINT: make room/),
      true,
    ]);
    expect([done.code, done.stderr]).toEqual([
      0,
      expect.stringMatching(/the old copy is removed first/),
    ]);
    await isHealed();
  });
});

function fakeDf(bytes: number): string {
  const folder = ownedFolder(join(pair.folder, "df"));
  writeFileSync(join(folder, "df"), `#!/bin/sh\necho Avail\necho ${bytes}\n`, { mode: 0o755 });
  return folder;
}
