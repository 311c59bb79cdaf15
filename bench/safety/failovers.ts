import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { apply, cutOff, deltaRows, loseA } from "../../lab/lostPrimary";
import { LEDGER_ROWS, LEDGER_TABLE } from "../../lab/ledger/ledger";
import { reportLedger, type LedgerRow } from "../../lab/ledger/report";
import { Writer } from "../../lab/ledger/writer";
import { Pair } from "../../lab/pair";
import { quantiles } from "../statistics";
import { comparesWith, ITEMS, itemsOf, mixedWork } from "./mixedWork";

/** What crash failovers did to acknowledged writes, all runs together. */
export interface CrashFailovers {
  readonly n: number;
  /** Runs with updates, deletes, key changes, sub-transactions, prepared transactions, conflicts and a table without key. */
  readonly mixed: number;
  readonly acked: number;
  readonly onPrimary: number;
  readonly inDelta: number;
  /** Acknowledged and on neither side, or a mixed row that is not what it should be after the delta was applied. */
  readonly missing: number;
  /** Rows of no acknowledged or indeterminate write, or rows that are on both sides. */
  readonly surplus: number;
  readonly exportMs: { readonly p50: number; readonly max: number };
}

const WRITERS = 4;

/** `n` primaries are killed under load with a standby that had stopped receiving; two runs of five do mixed work too. */
export async function crashFailovers(n: number): Promise<CrashFailovers> {
  const total = { mixed: 0, acked: 0, onPrimary: 0, inDelta: 0, missing: 0, surplus: 0 };
  const times: number[] = [];
  for (let index = 0; index < n; index += 1) {
    const isMixed = index % 5 < 2;
    const one = await crashFailover(isMixed ? index + 1 : undefined);
    times.push(one.exportMs);
    process.stdout.write(
      `failover ${index + 1}/${n}: ${one.acked} acknowledged, ${one.missing} missing, ${one.surplus} surplus\n`,
    );
    total.mixed += isMixed ? 1 : 0;
    total.acked += one.acked;
    total.onPrimary += one.onPrimary;
    total.inDelta += one.inDelta;
    total.missing += one.missing;
    total.surplus += one.surplus;
  }
  const { p50, max } = quantiles(times);
  return { n, ...total, exportMs: { p50, max } };
}

type One = Omit<CrashFailovers, "n" | "mixed" | "exportMs"> & { readonly exportMs: number };

async function crashFailover(seed: number | undefined): Promise<One> {
  const pair = await Pair.streaming({ max_prepared_transactions: "10" });
  try {
    await pair.a.query(LEDGER_TABLE);
    await pair.a.query(ITEMS);
    const writers = startWriters(pair);
    await pause(300);
    await cutOff(pair);
    if (seed !== undefined) await withClient(pair, (client) => mixedWork(client, seed));
    await pause(300);
    const lines = await loseA(pair);
    await Promise.all(writers.map((writer) => writer.stop()));
    if (seed !== undefined) {
      await pair.b.query("update items set v = 'of b' where id % 7 = 0 and id <= 200");
    }
    return await account(pair, lines, writers, seed !== undefined);
  } finally {
    await pair.close();
  }
}

function startWriters(pair: Pair): readonly Writer[] {
  const { host, port, superuser: user } = pair.a;
  const dns = { address: "127.0.0.1", port: 0 };
  const options = { dns, name: "", hosts: [host], port, user, database: "postgres", delayMs: 2 };
  return Array.from({ length: WRITERS }, (_, index) => new Writer(index + 1, options));
}

async function withClient(pair: Pair, work: (client: Client) => Promise<void>): Promise<void> {
  const { socketDirectory: host, port, superuser: user } = pair.a;
  const client = new Client({ host, port, user, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  await work(client);
  await client.end();
}

async function account(
  pair: Pair,
  lines: Record<string, string>,
  writers: readonly Writer[],
  isMixed: boolean,
): Promise<One> {
  const rows = await pair.b.query<LedgerRow & Record<string, unknown>>(LEDGER_ROWS);
  const exported = await pair.holds("a", "delta", { value: "export", ...lines });
  const delta = deltaRows(pair)
    .filter(({ table }) => table === "public.ledger")
    .map(({ row }) => ({ writer: Number(row["writer"]), seq: Number(row["seq"]) }));
  const report = reportLedger(
    writers.flatMap((writer) => writer.operations),
    rows,
    delta,
  );
  let wrong = 0;
  if (isMixed) {
    const there = await itemsOf(pair.b);
    const done = await apply(pair, exported.facts, "yes");
    if (done.code !== 0) throw new Error(`apply ended ${String(done.code)}:\n${done.stderr}`);
    wrong = comparesWith(await itemsOf(pair.a), there, await itemsOf(pair.b));
  }
  return {
    acked: report.acked,
    onPrimary: rows.length,
    inDelta: delta.length,
    missing: report.lost.length + wrong,
    surplus: report.unexpected.length + report.duplicates.length,
    exportMs: exported.ms,
  };
}
