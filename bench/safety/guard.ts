import { GUARD_TIMES, GuardedPair } from "../../lab/guarded";
import { Ledger } from "../../lab/ledger/ledger";
import { nowMs, type Operation } from "../../lab/ledger/operations";
import { overlappingAcks } from "../../lab/ledger/report";
import type { SiteId } from "../../plan/terms";
import { quantiles } from "../statistics";

/** How long a site that must be fenced went on taking writes. Milliseconds. */
export interface GuardReport {
  readonly n: number;
  /** What the guard states: nothing is written later than this after the veto or the last lease. */
  readonly boundMs: number;
  readonly p50: number;
  readonly max: number;
  /** Acknowledged writes of one site that reach into the other's. Must be 0. */
  readonly overlap: number;
  /** The same by cause: a failover's witness seen; the lease lost and no name server seen. */
  readonly byCause: Readonly<Record<Cause, { n: number; p50: number; max: number }>>;
}

type Cause = "witness" | "lease";
interface Run {
  readonly cause: Cause;
  readonly ms: number;
}

/**
 * n failovers between two guarded sites whose primary nobody can reach: half of the old primaries see the witness,
 * half see neither witness nor lease. The standby takes over when the stated bound is over, and not before.
 */
export async function guardRuns(n: number): Promise<GuardReport> {
  const pair = await GuardedPair.open("lease");
  const ledger = Ledger.start({
    ...{ dns: pair.lab.dns, name: pair.lab.zone, port: pair.lab.databasePort },
    ...{ hosts: [pair.lab.a.host, pair.lab.b.host], writers: 6 },
  });
  const runs: Run[] = [];
  try {
    for (let round = 0; round < n; round += 1) {
      const cause = round % 2 === 0 ? "witness" : "lease";
      runs.push({ cause, ms: await lastWrite(pair, ledger, cause) });
      process.stdout.write(`guard ${round + 1}/${n}: ${cause}, ${runs.at(-1)?.ms ?? 0} ms\n`);
    }
    await ledger.stop();
    return reportOf(runs, overlappingAcks(acked(ledger)));
  } finally {
    await ledger.stop();
    await pair.close();
  }
}

const acked = (ledger: Ledger): readonly Operation[] =>
  ledger.operations().filter((operation) => operation.outcome === "acknowledged");

/** One failover under load: from the moment the primary could know, to its last acknowledged write. */
async function lastWrite(pair: GuardedPair, ledger: Ledger, cause: Cause): Promise<number> {
  const [from, to] = [pair.primary, pair.standby];
  await pair.ready(from, "lease");
  await writing(ledger, pair.lab.sites[from].host);
  const beganAt = cause === "witness" ? announced(pair) : await leaseEnded(pair, from, to);
  await reaches("the bound is over", () => nowMs() >= beganAt + GUARD_TIMES.bound);
  const told = pair.lines();
  await pair.verbs.holds(to, "site/maintenance", { value: "on", ...told });
  await pair.takeOver();
  await pair.install(from, { isolation: "lease" });
  await writing(ledger, pair.lab.sites[to].host);
  const ends = acked(ledger)
    .filter((one) => one.host === pair.lab.sites[from].host && one.startMs < beganAt + 60_000)
    .map((one) => one.endMs);
  return Math.max(0, Math.round(Math.max(...ends) - beganAt));
}

/** The witness of a failover is answered; the old primary sees nothing else of it. */
function announced(pair: GuardedPair): number {
  const beganAt = nowMs();
  pair.announce("failover");
  return beganAt;
}

/** The standby gives no lease any more, because it has written the failover down; no server tells the old primary why. */
async function leaseEnded(pair: GuardedPair, from: SiteId, to: SiteId): Promise<number> {
  await pair.install(from, { isolation: "lease", dns: false });
  await pair.ready(from, "lease");
  pair.next("failover");
  const lines = pair.lines();
  await pair.verbs.holds(to, "site/maintenance", { value: "on", ...lines });
  return nowMs();
}

async function writing(ledger: Ledger, host: string): Promise<void> {
  const before = ledger.acked(host);
  // Under `lease` a machine that is too busy for the guard's questions ends its own primary.
  await reaches(`${host} acknowledges writes`, () => ledger.acked(host) > before + 50);
}

async function reaches(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
  const end = nowMs() + withinMs;
  while (!holds()) {
    if (nowMs() > end) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function reportOf(runs: readonly Run[], overlap: number): GuardReport {
  const figures = (some: readonly Run[]) => {
    const { p50, max } =
      some.length === 0 ? { p50: 0, max: 0 } : quantiles(some.map((run) => run.ms));
    return { n: some.length, p50, max };
  };
  const of = (cause: Cause) => figures(runs.filter((run) => run.cause === cause));
  return {
    ...figures(runs),
    boundMs: GUARD_TIMES.bound,
    overlap,
    byCause: { witness: of("witness"), lease: of("lease") },
  };
}
