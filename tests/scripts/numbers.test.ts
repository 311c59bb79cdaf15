// Transaction numbers that wrap, positions beyond 2^40 and every awk there is: a number that went through floating point once
// deleted 3,000 rows that only the serving primary had.
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { byHand, cutOff, deltaFolder, deltaRows, loseA } from "../../lab/lostPrimary";
import { ownedFolder, runAsOwner } from "../../lab/postgres/programs";
import { Pair } from "./harness";

jest.setTimeout(180_000);

const AWKS = { mawk: "/usr/bin/mawk", gawk: "/usr/bin/gawk", busybox: "/usr/bin/busybox" } as const;
type Awk = keyof typeof AWKS;

/** Numbers near these are given out next: transaction, its epoch, and the WAL file that comes next. */
interface Start {
  readonly xid: number;
  readonly epoch: number;
  readonly wal: string;
}
const AROUND: Readonly<Record<string, Start>> = {
  "2^31": { xid: 2 ** 31 - 1500, epoch: 0, wal: "0000000100000200000000F0" },
  "2^32, epoch 3": { xid: 2 ** 32 - 1500, epoch: 3, wal: "00000001000FFFFF000000F0" },
  "3 * 10^9, epoch 3": { xid: 3_000_004_900, epoch: 3, wal: "0000000100000100000000F0" },
};

let pair: Pair | undefined;
const path = process.env["PATH"];
afterEach(async () => {
  process.env["PATH"] = path;
  await pair?.close();
});

/** A site that has given out so many numbers: frozen and moved on in strides, for no more than 2^31 may lie between. */
async function moveOn(one: Pair, { xid, epoch, wal }: Start): Promise<void> {
  const { a } = one;
  for (const next of [1_400_000_000, 2_800_000_000, xid].filter(
    (each, at) => each < xid || at === 2,
  )) {
    await a.query("update pg_database set datallowconn = true");
    for (const database of ["template0", "template1", "postgres"])
      await a.query("vacuum freeze", [], database);
    await a.stop();
    const name = Math.floor(next / 2 ** 20)
      .toString(16)
      .toUpperCase()
      .padStart(4, "0");
    const file = join(a.dataDirectory, "pg_xact", name);
    if (!existsSync(file))
      await runAsOwner("dd", ["if=/dev/zero", `of=${file}`, "bs=256k", "count=1", "status=none"]);
    const reset = ["-x", String(next), "-e", String(epoch), "-l", wal, "-D", a.dataDirectory];
    await runAsOwner(join(a.bindir, "pg_resetwal"), reset);
    await a.start();
  }
}

function under(awk: Awk): void {
  const folder = ownedFolder(join(pair?.folder ?? "", "awk"));
  symlinkSync(AWKS[awk], join(folder, "awk"));
  process.env["PATH"] = `${folder}:${path ?? ""}`;
}

const cases = Object.keys(AROUND).flatMap((around) =>
  (Object.keys(AWKS) as Awk[]).map((awk) => [around, awk] as const),
);

test.each(cases)("around %s, under %s, the delta holds what it should", async (around, awk) => {
  pair = await Pair.create();
  const start = AROUND[around];
  if (start === undefined) throw new Error(around);
  await moveOn(pair, start);
  under(awk);
  await pair.begin();
  await pair.a.query("create table t(id int primary key, v text)");
  await pair.a.query("insert into t select n, 'fork' from generate_series(1, 20) as n");
  await cutOff(pair);
  // Enough transactions to pass the round number, on both sides of the fork.
  await pair.a.query(
    "do $$ begin for n in 1..2000 loop insert into t values (1000 + n, 'a'); commit; end loop; end $$",
  );
  await pair.a.query("update t set v = 'a' where id <= 5");
  await pair.a.query("delete from t where id = 6");
  const lines = await loseA(pair);
  await pair.b.query(
    "do $$ begin for n in 1..3000 loop insert into t values (10000 + n, 'b'); commit; end loop; end $$",
  );
  await pair.b.query("update t set v = 'b' where id = 5");
  const { facts, stderr, code } = await pair.verb("a", "delta", { value: "export", ...lines });
  if (code !== 0) throw new Error(stderr);
  expect(facts).toMatchObject({
    delta_inserts: "2000",
    delta_updates: "5",
    delta_deletes: "1",
    delta_conflicts: "1",
  });
  expect(byHand(pair)).toEqual([]);
  expect(deltaRows(pair).length).toBe(2006);
  expect(existsSync(deltaFolder(pair))).toBe(true);
});
