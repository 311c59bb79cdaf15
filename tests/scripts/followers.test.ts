import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../lab/postgres/processes";
import { clusterOwner, ownedFolder } from "../../lab/postgres/programs";
import { parseSiteFacts } from "../../plan/observed";
import { Pair, password, type Input, type SiteId } from "./harness";

jest.setTimeout(120_000);

/** A name as a tool may have it: nothing in it may break a fact, an SQL literal or a line. */
const APP = `Bob's "archive", 100% = a|b:c`;

let pair: Pair;
let told: string;
const receivers: ChildProcess[] = [];

beforeAll(async () => {
  pair = await Pair.streaming();
  told = join(ownedFolder(join(pair.folder, "told")), "told");
  await pair.a.query("create table ledger(n int)");
});
afterAll(async () => {
  for (const each of receivers) each.kill("SIGKILL");
  await pair.close();
});

const follower = (repoint: string): Input => ({
  follower: "archive archive",
  follower_app: APP,
  follower_repoint: repoint,
});

/** pg_receivewal as a backup server runs it, with a slot. */
async function receive(from: SiteId): Promise<ChildProcess> {
  const { bindir, host, port } = pair.site(from);
  const folder = ownedFolder(join(pair.folder, "wal"));
  const escaped = APP.replaceAll(/['\\]/g, (sign) => `\\${sign}`);
  const source = `host=${host} port=${port} user=standby_replicator application_name='${escaped}'`;
  const words = ["-D", folder, "--slot=archive", "--no-loop", "-d", source];
  const child = spawn(join(bindir, "pg_receivewal"), words, {
    ...clusterOwner(),
    cwd: "/",
    env: { PGPASSWORD: password, HOME: folder },
  });
  receivers.push(child);
  await until("the receiver streams", 10_000, async () => {
    const rows = await pair
      .site(from)
      .query("select from pg_stat_replication where application_name = $1", [APP]);
    return rows.length === 1;
  });
  return child;
}

const slots = (site: SiteId) =>
  pair
    .site(site)
    .query<{ name: string }>(
      "select slot_name as name from pg_replication_slots where slot_type = 'physical' order by 1",
    )
    .then((rows) => rows.map(({ name }) => name));

async function flip(from: SiteId, to: SiteId, epoch: number, repoint: string) {
  const lines = { ...pair.epoch(epoch, from, to, "switchover"), ...follower(repoint) };
  const source = await pair.holds(from, "preflight", { value: "source", ...lines });
  const { lsn = "", follower_slots = "" } = source.facts;
  const target = { value: "target", value_lsn: lsn, follower_slots };
  await pair.holds(to, "preflight", { ...target, ...lines });
  const fence = await pair.holds(from, "fence", { value: "stop", ...lines });
  const token = fence.facts["token"] ?? "";
  await pair.holds(to, "verify", { value: "token", ...lines, token });
  await pair.holds(to, "promote", { value: "permit", ...lines });
  const repointed = await pair.holds(to, "repoint", lines);
  await pair.holds(from, "rejoin", { value: "rejoin", ...lines });
  await pair.holds(to, "settle", lines);
  const settled = await pair.holds(from, "settle", lines);
  return { fence, repointed, settled };
}

test("what is connected is told by its exact name, user and slot", async () => {
  await pair.a.query("select pg_create_physical_replication_slot('archive', true)");
  await receive("a");
  const lines = Object.entries(await pair.observe("a")).map(([key, value]) => `${key}=${value}`);
  const facts = parseSiteFacts(lines.join("\n"));
  expect(facts.senders).toEqual([
    expect.objectContaining({
      ...{ application: APP, user: "standby_replicator", slot: "archive", type: "physical" },
      ...{ address: "127.0.0.1", state: "streaming" },
    }),
  ]);
});

test("one that hangs does not hold up the stop, has its slot at the new primary, and is led there", async () => {
  const [hanging] = receivers;
  hanging?.kill("SIGSTOP");
  await pair.a.query("insert into ledger select generate_series(1, 1000)");
  const repoint = `echo "$STANDBY_FOLLOWER $STANDBY_SITE $STANDBY_HOST $STANDBY_PORT $STANDBY_SLOT \${PGOPTIONS-none}" >>${told}`;
  const { fence, repointed, settled } = await flip("a", "b", 2, repoint);
  hanging?.kill("SIGKILL");
  expect(fence.facts["followers_ended"]).toBe("archive");
  // Half of the bound is what an unknown one is given.
  expect(Number(fence.facts["stop_ms"])).toBeLessThan(2000);
  expect(repointed.facts).toMatchObject({ slots_made: "archive", followers: "archive:repointed" });
  expect(readFileSync(told, "utf8")).toBe(`archive b ${pair.b.host} ${pair.b.port} archive none\n`);
  expect(await slots("b")).toEqual(["archive", "standby_a"]);
  expect([settled.facts["dropped"], await slots("a")]).toEqual(["standby_b,archive", []]);
});

test("it goes on at the new primary without a gap", async () => {
  await receive("b");
  await pair.b.query("insert into ledger select generate_series(1, 1000)");
  await pair.b.query("select pg_switch_wal()");
  const folder = join(pair.folder, "wal");
  await until("the WAL arrives", 10_000, () =>
    readdirSync(folder).some((file) => /^00000002[0-9A-F]{16}$/.test(file)),
  );
  const numbers = readdirSync(folder)
    .filter((file) => /^[0-9A-F]{24}(\.partial)?$/.test(file))
    .map((file) => parseInt(file.slice(8, 16), 16) * 256 + parseInt(file.slice(16, 24), 16));
  const first = Math.min(...numbers);
  const all = [...new Set(numbers)].sort((one, other) => one - other);
  expect(all).toEqual(all.map((_, index) => first + index));
});

test("a command that fails or hangs is named, and holds up nothing", async () => {
  const lines = pair.epoch(3, "b", "a", "switchover");
  const bad = await pair.verb("b", "repoint", { ...lines, ...follower("echo no way; exit 3") });
  expect([bad.code, bad.facts["followers"]]).toEqual([0, "archive:failed"]);
  expect(bad.stderr).toMatch(/follower archive: its repoint command ended with status 3: no way/);
  const slow = await pair.verb("b", "repoint", {
    ...lines,
    ...follower("sleep 60"),
    step_bound: 4,
  });
  expect([slow.code, slow.facts["followers"]]).toEqual([0, "archive:failed"]);
  const { follower: name = "", follower_app = "" } = follower("");
  const none = await pair.verb("b", "repoint", { ...lines, follower: name, follower_app });
  expect(none.facts["followers"]).toBe("archive:by-hand");
  expect(none.stderr).toMatch(/point it to .* by hand/);
});

test("a logical slot that is not carried over is named", async () => {
  const lines = pair.epoch(3, "b", "a", "switchover");
  const logical = { follower: "cdc logical", follower_user: "cdc", follower_slot: "cdc" };
  const done = await pair.holds("b", "repoint", { ...lines, ...logical });
  expect(done.facts).toMatchObject({ starts_anew: "cdc", slots_made: "" });
  expect(done.stderr).toMatch(
    /logical slot cdc of follower cdc is not here: its consumer starts anew/,
  );
});
