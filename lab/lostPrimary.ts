/** A pair whose standby is cut off while clients go on writing, and what the verb delta makes of it. */
import { chownSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processesIn, signalProcess } from "./postgres/processes";
import { clusterOwner } from "./postgres/programs";
import type { Cluster } from "./postgres/cluster";
import type { Outcome, Pair } from "./pair";
import type { TourSite } from "./place";

/** From now on b receives nothing that a writes: a's walsender is frozen, with what it had sent replayed. */
export async function cutOff({ a, b }: { readonly a: Cluster; readonly b: Cluster }) {
  await caughtUp(a, b);
  freezeSenders(a);
}

/** Waits until b has replayed what a has now. */
export async function caughtUp(
  a: Pick<TourSite, "query">,
  b: Pick<TourSite, "query">,
): Promise<void> {
  const [row] = await a.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
  await b.query(
    `do $$ begin while pg_last_wal_replay_lsn() < '${row?.lsn ?? ""}' loop perform pg_sleep(0.01); end loop; end $$`,
  );
}

/** What a server writes from now on stays with it; its connections stay open. */
export function freezeSenders({ dataDirectory }: Cluster): void {
  for (const pid of processesIn(dataDirectory)) {
    if (titleOf(pid).includes("walsender")) signalProcess(pid, "SIGSTOP");
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Site a dies, b serves in epoch 2. */
export async function loseA(pair: Pair): Promise<Record<string, string>> {
  await pair.a.kill();
  const lines = pair.epoch(2, "a", "b", "failover");
  await pair.holds("b", "verify", { value: "accepted", accept_loss: "2", ...lines });
  await pair.holds("b", "promote", { value: "permit", ...lines });
  return lines;
}

/** Folder of the export at site a. */
export function deltaFolder(pair: Pair): string {
  return join(pair.a.stateDirectory, "delta", "2");
}

/** The lines `by_hand.N` of the summary. */
export function byHand(pair: Pair): string[] {
  return readFileSync(join(deltaFolder(pair), "summary"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("by_hand."))
    .map((line) => line.slice(line.indexOf("=") + 1))
    .sort();
}

/** What was exported of one row each: table, kind, class and the columns. */
export function deltaRows(
  pair: Pair,
): readonly { table: string; row: Record<string, unknown> & { delta_class: string } }[] {
  return readFileSync(join(deltaFolder(pair), "rows.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { table: string; row: { delta_class: string } });
}

/** Brings delta.sql to b and runs it there. */
export function apply(
  pair: Pair,
  facts: Readonly<Record<string, string>>,
  value: "dry" | "yes",
  action = "skip",
): Promise<Outcome> {
  const incoming = join(pair.b.stateDirectory, "incoming.sql");
  copyFileSync(join(deltaFolder(pair), "delta.sql"), incoming);
  const owner = clusterOwner();
  if (owner !== undefined) chownSync(incoming, owner.uid, owner.gid);
  return pair.verb("b", "apply", { value, action, token: facts["delta_sha256"] ?? "" });
}
