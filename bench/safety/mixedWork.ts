import { createHash } from "node:crypto";
import type { Client } from "pg";
import type { Cluster } from "../../lab/postgres/cluster";

/** Work that is hard to carry over: every kind of change to rows that both sites have. */

/** Rows that are there before the cut. */
export const ITEMS = `create table items(id int primary key, v text, big text, doc json);
  create index on items(v);
  create table notes(v text);
  insert into items select g, 'v' || g, repeat(md5(g::text), 200), '{"b": 1, "a": 2}' from generate_series(1, 200) g`;

/** Some hundred transactions; the same seed does the same. */
export async function mixedWork(client: Client, seed: number): Promise<void> {
  const next = numbers(seed);
  for (let step = 0; step < 60; step += 1) {
    const id = 1 + next(200);
    const fresh = 1000 * seed + step * 4;
    for (const sql of one(next(8), id, fresh)) await client.query(sql);
  }
}

function one(kind: number, id: number, fresh: number): readonly string[] {
  const insert = (n: number) =>
    `insert into items values (${n}, 'new ${n}', 'x', '{"z": 1, "z": 2}')`;
  switch (kind) {
    case 0:
      return [insert(fresh)];
    case 1:
      return [`update items set v = 'upd ${fresh}' where id = ${id}`];
    case 2:
      return [`update items set doc = '{"n": ${fresh}}' where id = ${id}`];
    case 3:
      return [`delete from items where id = ${id}`];
    case 4:
      return [`update items set id = ${fresh} where id = ${id}`];
    case 5:
      return [
        `begin; savepoint one; ${insert(fresh)}; rollback to one; savepoint two; ${insert(fresh + 1)}; release two; commit`,
      ];
    case 6:
      return [
        `begin; ${insert(fresh)}; prepare transaction 'p${fresh}'`,
        `commit prepared 'p${fresh}'`,
        `begin; ${insert(fresh + 1)}; rollback`,
      ];
    default:
      return [
        `insert into notes values ('note ${fresh}')`,
        `delete from items where id = ${fresh - 4}`,
      ];
  }
}

/** Park and Miller's generator: enough to mix work, and the same everywhere. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

/** All rows as text by key; a note's key is its text. */
export async function itemsOf(cluster: Cluster): Promise<ReadonlyMap<string, string>> {
  const rows = await cluster.query<{ key: string; text: string }>(
    "select id::text as key, items::text as text from items union all select v, v from notes",
  );
  return new Map(rows.map(({ key, text }) => [key, text]));
}

/**
 * How many rows are wrong after the delta was applied: where the new primary wrote itself its value must stand, and
 * everywhere else the old primary's.
 */
export function comparesWith(
  old: ReadonlyMap<string, string>,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): number {
  const ofB = (text: string | undefined) => text?.includes(',"of b",') === true;
  const keys = new Set([...old.keys(), ...before.keys(), ...after.keys()]);
  // A key that was changed here and written there: both the old row there and the choice of a person remain.
  return [...keys].filter((key) => {
    if (ofB(before.get(key))) return after.get(key) !== before.get(key);
    return after.get(key) !== old.get(key) && !changedAway(key, old, after);
  }).length;
}

const ofConflicts = new Set(Array.from({ length: 28 }, (_, index) => md5(String(7 * (index + 1)))));

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

/** A row that got a new key here while the new primary changed it: it is a conflict and stays out. */
function changedAway(
  key: string,
  old: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): boolean {
  const origin = /[0-9a-f]{32}/.exec(old.get(key) ?? "")?.[0];
  return !after.has(key) && origin !== undefined && ofConflicts.has(origin);
}
