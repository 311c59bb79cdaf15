import { join } from "node:path";
import { runAsOwner } from "../../lab/postgres/programs";
import { Pair, type SiteId } from "./harness";

jest.setTimeout(60_000);

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger(n int primary key)");
});
afterAll(() => pair.close());

async function flip(from: SiteId, to: SiteId): Promise<Map<string, string>> {
  const [old, next] = [pair.site(from), pair.site(to)];
  const passfile = join(pair.folder, from, "home/.pgpass");
  const login = `user=standby_replicator passfile=${passfile}`;
  const conninfo = `host=${next.host} port=${next.port} ${login} application_name=standby_${from}`;
  const sites = [old.dataDirectory, next.dataDirectory, old.socketDirectory, next.socketDirectory];
  const stdout = await runAsOwner("sh", [
    join(__dirname, "../../bench/floor/flip.sh"),
    ...[old.bindir, ...sites, String(old.port), String(next.port)],
    ...[`standby_${from}`, conninfo],
  ]);
  return new Map(
    stdout.split("\n").map((line) => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]),
  );
}

test("the floor script moves the primary there and back without losing a row", async () => {
  await pair.a.query("insert into ledger select generate_series(1, 500)");
  const there = await flip("a", "b");
  expect(there.get("primary")).toBe(pair.b.dataDirectory);
  await pair.b.query("insert into ledger select generate_series(501, 1000)");
  const back = await flip("b", "a");
  expect(Number(back.get("gap"))).toBeGreaterThan(0);
  expect(await pair.a.query("select count(*)::int as n from ledger")).toEqual([{ n: 1000 }]);
  expect(await pair.writers()).toBe(1);
});
