import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LedgerRow } from "../../lab/ledger/report";
import type { CellSite } from "../../lab/place";
import { ledgerRows } from "./evidence";

/** Rows that the primary may lack and that are not lost: still at the other site, or in the delta it exported. */
export async function keptRows(site: CellSite): Promise<readonly LedgerRow[]> {
  const here = (await ledgerRows(site)) ?? (await deadRows(site));
  return [...here, ...deltaRows(site)];
}

/** I10: where a delta was made, its marker's checksum is that of the file which would be applied. */
export function deltaDiffers(site: CellSite): string | undefined {
  const { state } = site.folders;
  if (!existsSync(join(state, "delta.done"))) return undefined;
  const marker = readFileSync(join(state, "delta.done"), "utf8").trim();
  const [epoch = "", , , sum] = marker.split(" ");
  const sql = readFileSync(join(state, "delta", epoch, "delta.sql"));
  const found = createHash("sha256").update(sql).digest("hex");
  return found === sum ? undefined : `the delta's marker says ${String(sum)}, its file is ${found}`;
}

/** Rows of the delta that a site exported, whatever became of the site since. */
export function deltaRows(site: CellSite): readonly LedgerRow[] {
  const { state } = site.folders;
  if (!existsSync(join(state, "delta.done"))) return [];
  const marker = readFileSync(join(state, "delta.done"), "utf8");
  const folder = join(state, "delta", marker.split(" ")[0] ?? "");
  const tables = readFileSync(join(folder, "summary"), "utf8").matchAll(/^table\.(\d+)=(.*)$/gm);
  return [...tables]
    .filter(([, , table]) => table === "public.ledger")
    .flatMap(([, number]) => copyRows(join(folder, `rows.${String(number)}.copy`)));
}

// Fields of a row: kind, class, hash there, both key columns, then the columns of the table.
function copyRows(file: string): readonly LedgerRow[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([kind]) => kind === "insert")
    .map((fields) => ({ writer: Number(fields[5]), seq: Number(fields[6]) }));
}

/**
 * The disk of a host that never came back, read by a server without clients. It recovers what was written there; the cell is
 * over, and the next one restores everything.
 */
async function deadRows(site: CellSite): Promise<readonly LedgerRow[]> {
  const { data } = site.folders;
  if (!existsSync(join(data, "PG_VERSION"))) return [];
  rmSync(join(data, "standby.signal"), { force: true });
  rmSync(join(data, "postmaster.pid"), { force: true });
  const query = "select string_agg(writer || ':' || seq, ' ') as rows from ledger";
  const text = await site.askDisk(query);
  const list = /rows = "([^"]*)"/.exec(text)?.[1] ?? "";
  return list
    .split(" ")
    .filter((pair) => pair !== "")
    .map((pair) => pair.split(":").map(Number))
    .map(([writer = 0, seq = 0]) => ({ writer, seq }));
}
