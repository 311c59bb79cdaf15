import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import type { CellLab, CellSite } from "../../lab/place";

/** What is so, asked of servers, files, processes and the zone; never of the product's own scripts. */
export interface SiteEvidence {
  /** undefined: no server answers. */
  readonly writable: boolean | undefined;
  readonly streaming: boolean;
  /** From pg_controldata and the history files; 0 without data. */
  readonly timeline: number;
  readonly system: string;
  /** Files of the state folder that say where a transition stands. */
  readonly state: Readonly<Record<string, string>>;
  readonly services: number;
  readonly slots: readonly string[];
}

export interface Evidence {
  readonly a: SiteEvidence;
  readonly b: SiteEvidence;
  /** Committed changes of the zone so far. */
  readonly changes: number;
  readonly pivot: string;
  readonly witness: string;
}

const STATE = ["record", "settled", "promoted", "token", "permit", "maintenance"] as const;

export async function collect(lab: CellLab): Promise<Evidence> {
  const [a, b] = await Promise.all(SITE_IDS.map((site) => siteEvidence(lab.sites[site])));
  if (a === undefined || b === undefined) throw new Error("there are always two sites");
  const { cloudflare, zone } = lab;
  const content = (name: string) =>
    cloudflare.records(zone).find((record) => record.name === name)?.content ?? "";
  return {
    ...{ a, b, changes: cloudflare.history().length },
    pivot: content(`active.${zone}`),
    witness: content(`_standby-shop.${zone}`),
  };
}

/** What differs between two moments between which nothing may have changed. */
export function unchanged(before: Evidence, now: Evidence, when: string): string[] {
  const part = ({ a, b, changes }: Evidence) => ({
    changes,
    ...Object.fromEntries(
      Object.entries({ a, b }).flatMap(([site, { timeline, state }]) => [
        [`timeline of ${site}`, timeline],
        ...Object.entries(state).map(([file, text]) => [`${file} of ${site}`, text] as const),
      ]),
    ),
  });
  const [was, is] = [part(before), part(now)] as const;
  return Object.entries(is)
    .filter(([key, value]) => (was as Record<string, unknown>)[key] !== value)
    .map(([key, value]) => `${when} ${key} became ${String(value)}`);
}

/** Sites that accept writes now. */
export function writers(evidence: Evidence): readonly SiteId[] {
  return SITE_IDS.filter((site) => evidence[site].writable === true);
}

async function siteEvidence(site: CellSite): Promise<SiteEvidence> {
  const rows = await site
    .query<{ recovery: boolean; streaming: boolean; slots: string }>(
      `select pg_is_in_recovery() as recovery,
        exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming,
        coalesce((select string_agg(slot_name, ' ' order by slot_name) from pg_replication_slots), '') as slots`,
    )
    .catch(() => []);
  const row = rows[0];
  return {
    writable: row === undefined ? undefined : !row.recovery,
    streaming: row?.streaming ?? false,
    ...(await control(site)),
    state: stateFiles(site),
    services: await site.runningServices(),
    slots: row === undefined || row.slots === "" ? [] : row.slots.split(" "),
  };
}

async function control(site: CellSite): Promise<{ timeline: number; system: string }> {
  if (!existsSync(join(site.folders.data, "PG_VERSION"))) return { timeline: 0, system: "" };
  const data = await controlData(site);
  const number = (label: string) => Number(data.get(label) ?? 0);
  return {
    timeline: Math.max(
      number("Latest checkpoint's TimeLineID"),
      number("Min recovery ending loc's timeline"),
    ),
    system: data.get("Database system identifier") ?? "",
  };
}

/** pg_controldata as label -> value. */
export async function controlData(site: CellSite): Promise<ReadonlyMap<string, string>> {
  const text = await site.inspect("pg_controldata", ["."]);
  return new Map(
    [...text.matchAll(/^([^:\n]+): *(.*)$/gm)].map(([, label = "", value = ""]) => [label, value]),
  );
}

function stateFiles(site: CellSite): Record<string, string> {
  const read = (file: string) => {
    try {
      return readFileSync(join(site.folders.state, file), "utf8").trim();
    } catch {
      return "";
    }
  };
  return Object.fromEntries(STATE.map((file) => [file, read(file)]));
}

/** Rows of the ledger at one site, undefined when no server answers there. */
export async function ledgerRows(
  site: CellSite,
): Promise<readonly { writer: number; seq: number }[] | undefined> {
  try {
    return await site.query<{ writer: number; seq: number }>(
      "select writer, seq::int as seq from ledger",
    );
  } catch {
    return undefined;
  }
}

/** What the WAL itself says came last before this site left the older timeline: a description by pg_waldump. */
export async function lastRecordBeforeFork(site: CellSite, timeline: number): Promise<string> {
  const hex = timeline.toString(16).toUpperCase().padStart(8, "0");
  const history = readFileSync(join(site.folders.data, "pg_wal", `${hex}.history`), "utf8")
    .trim()
    .split("\n");
  const fork = history.at(-1)?.split("\t")[1] ?? "";
  const [high = "0", low = "0"] = fork.split("/");
  // Records before the fork are also in the new timeline's first segment.
  const start = `${high}/${((parseInt(low, 16) - 1) & ~0xffffff).toString(16).toUpperCase()}`;
  const range = ["-p", "pg_wal", "-t", String(timeline), "-s", start, "-e", fork];
  const text = await site.inspect("pg_waldump", range);
  return text.trimEnd().split("\n").at(-1) ?? "";
}
