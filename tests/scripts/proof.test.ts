import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Cluster, temporaryFolder } from "../../lab/postgres/cluster";
import { freePort } from "../../lab/postgres/ports";
import { runAsOwner } from "../../lab/postgres/programs";
import { LIB } from "../../sites/guardProgram";

jest.setTimeout(60_000);

let folder: string;
let cluster: Cluster;
let first: string;

beforeAll(async () => {
  folder = temporaryFolder("sb-");
  const port = await freePort(["127.0.0.2"]);
  cluster = await Cluster.create({ dir: join(folder, "a"), site: "a", host: "127.0.0.2", port });
  await cluster.start();
  await cluster.query("alter system set wal_keep_size = '256MB'");
  await cluster.query("select pg_reload_conf()");
  const rows = await cluster.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
  first = rows[0]?.lsn ?? "";
  // Records of every length around a page, and over the end of a segment.
  await cluster.query(
    "select count(pg_logical_emit_message(false, 'x', repeat('y', n * 7 % 9000))) from generate_series(1, 4500) as n",
  );
  await cluster.query("checkpoint");
  await cluster.stop("fast");
});
afterAll(async () => {
  await cluster.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface WalRecord {
  readonly start: bigint;
  readonly text: string;
}

function numberOf(lsn: string): bigint {
  const [high = "0", low = "0"] = lsn.split("/");
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

async function records(): Promise<WalRecord[]> {
  const wal = join(cluster.dataDirectory, "pg_wal");
  const args = [`--path=${wal}`, "--timeline=1", `--start=${first}`];
  const dump = `"$0" "$@" 2>/dev/null || :`;
  const program = join(cluster.bindir, "pg_waldump");
  const text = await runAsOwner("sh", ["-c", dump, program, ...args]);
  return [...text.matchAll(/lsn: ([0-9A-F]+\/[0-9A-F]+)/g)].map((match) => ({
    text: match[1] ?? "",
    start: numberOf(match[1] ?? ""),
  }));
}

/** Ends of records, as wal.sh computes them from the WAL files. */
function ends(starts: readonly bigint[]): bigint[] {
  const lib = LIB.map((name) =>
    readFileSync(join(__dirname, `../../scripts/${name}.sh`), "utf8"),
  ).join("");
  const call = `data=${cluster.dataDirectory} wal_page=8192 wal_segment=16777216
for start in ${starts.join(" ")}; do record_end "$start" 1; printf '%s\\n' "$end"; done\n`;
  const run = spawnSync("sh", ["-s"], { input: lib + call, encoding: "utf8" });
  expect(run.stderr).toBe("");
  return run.stdout.trim().split("\n").map(BigInt);
}

/** A record that starts on a new page starts behind that page's header. */
function headerAt(end: bigint): bigint {
  if (end % 16777216n === 0n) return 40n;
  return end % 8192n === 0n ? 24n : 0n;
}

test("the end of a record is where the next one starts, over pages and over segments", async () => {
  const all = await records();
  const crosses = (index: number, size: bigint): boolean => {
    const [here, next] = [all[index], all[index + 1]];
    return here !== undefined && next !== undefined && here.start / size !== next.start / size;
  };
  const indices = all.map((_, index) => index).slice(0, -1);
  const overSegments = indices.filter((index) => crosses(index, 16777216n));
  const overPages = indices.filter((index) => crosses(index, 8192n)).filter((_, n) => n % 11 === 0);
  const picked = [...overSegments, ...overPages, ...indices.slice(-40)];
  expect(overSegments.length).toBeGreaterThan(0);
  expect(overPages.length).toBeGreaterThan(100);

  const computed = ends(picked.map((index) => all[index]?.start ?? 0n));
  picked.forEach((index, n) => {
    const end = computed[n] ?? 0n;
    const next = all[index + 1]?.start ?? 0n;
    expect([all[index]?.text, end + headerAt(end)]).toEqual([all[index]?.text, next]);
  });
});

test("the shutdown record is the last one, and its end is where a restart goes on", async () => {
  const location = (await cluster.controlData()).get("Latest checkpoint location") ?? "";
  const [end = 0n] = ends([numberOf(location)]);
  await cluster.start();
  await cluster.query("select pg_logical_emit_message(true, 'x', 'after')");
  const later = (await records()).filter((record) => record.start > numberOf(location));
  expect(later.length).toBeGreaterThan(0);
  expect(later[0]?.start).toBe(end + headerAt(end));
});
