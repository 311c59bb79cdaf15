import type { Operation } from "./operations";

/** A row of table `ledger`, read back from a site or from a delta. */
export interface LedgerRow {
  readonly writer: number;
  readonly seq: number;
}

/** What the writers' own notes say, held against the rows that exist. */
export interface LedgerReport {
  readonly operations: number;
  readonly acked: number;
  /** Acknowledged, but neither on the primary nor in the delta. */
  readonly lost: readonly string[];
  /** Both on the primary and in the delta, or twice in one of them. */
  readonly duplicates: readonly string[];
  /** Rows of a write that was refused before it was executed, or that no writer ever sent. */
  readonly unexpected: readonly string[];
  readonly failed: number;
  readonly indeterminate: { readonly applied: number; readonly absent: number };
  /** Acknowledged writes of one host that began before another host's last one ended. Must be 0. */
  readonly overlappingAcks: number;
}

const keyOf = (row: LedgerRow): string => `${row.writer}:${row.seq}`;

/** Holds the operations against the rows on the primary and, after a failover, those in the delta. */
export function reportLedger(
  operations: readonly Operation[],
  rowsOnPrimary: readonly LedgerRow[],
  deltaRows: readonly LedgerRow[] = [],
): LedgerReport {
  const rows = new Map<string, number>();
  for (const row of [...rowsOnPrimary, ...deltaRows]) {
    rows.set(keyOf(row), (rows.get(keyOf(row)) ?? 0) + 1);
  }
  const of = (outcome: Operation["outcome"]): readonly Operation[] =>
    operations.filter((operation) => operation.outcome === outcome);
  const acked = of("acknowledged");
  const failed = of("failed");
  const unknown = of("indeterminate");
  const possible = new Set([...acked, ...unknown].map(keyOf));
  const applied = unknown.filter((operation) => rows.has(keyOf(operation))).length;
  return {
    operations: operations.length,
    acked: acked.length,
    lost: acked.map(keyOf).filter((key) => !rows.has(key)),
    duplicates: [...rows].filter(([, count]) => count > 1).map(([key]) => key),
    unexpected: [...rows.keys()].filter((key) => !possible.has(key)),
    failed: failed.length,
    indeterminate: { applied, absent: unknown.length - applied },
    overlappingAcks: overlappingAcks(acked),
  };
}

/**
 * Counts the acknowledged writes that reach into another host's run of acknowledged writes. Service
 * goes from host to host, so each change of host must come after the last acknowledgement of the
 * host before. Sorted by start, a write overlaps if one of another host ended after it had begun.
 */
export function overlappingAcks(acked: readonly Operation[]): number {
  const lastEnd = new Map<string, number>();
  let count = 0;
  for (const operation of [...acked].sort((one, two) => one.startMs - two.startMs)) {
    for (const [host, endMs] of lastEnd) {
      if (host !== operation.host && endMs > operation.startMs) {
        count += 1;
        break;
      }
    }
    const before = lastEnd.get(operation.host) ?? 0;
    lastEnd.set(operation.host, Math.max(before, operation.endMs));
  }
  return count;
}

/** A stretch of time without a success. */
export interface Gap {
  readonly ms: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The longest stretch between two moments of success that touches the window [fromMs, toMs].
 * A stretch that begins before the window or ends after it counts whole. Undefined if fewer than two
 * successes are known, or if the last one came before the window's end: the gap is then still open.
 */
export function longestGap(
  moments: readonly number[],
  fromMs = -Infinity,
  toMs = Infinity,
): Gap | undefined {
  const sorted = [...moments].sort((one, two) => one - two);
  let longest: Gap | undefined;
  for (let index = 1; index < sorted.length; index += 1) {
    const start = sorted[index - 1] ?? 0;
    const end = sorted[index] ?? 0;
    if (end < fromMs || start > toMs) continue;
    if (longest === undefined || end - start > longest.ms) {
      longest = { ms: end - start, fromMs: start, toMs: end };
    }
  }
  const last = sorted.at(-1);
  return last === undefined || (last < toMs && toMs !== Infinity) ? undefined : longest;
}
