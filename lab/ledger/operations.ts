import { DatabaseError } from "pg";

/** What became of one write. `indeterminate`: the connection was lost while it was in flight. */
export type Outcome = "acknowledged" | "failed" | "indeterminate";

/** One write, as the client saw it. Times are milliseconds since 1970, from a monotonic clock. */
export interface Operation {
  readonly writer: number;
  readonly seq: number;
  readonly host: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  /** SQLSTATE or error text, if it was not acknowledged. */
  readonly error?: string;
}

/** Milliseconds since 1970 that never jump: the monotonic clock on top of this process's start. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

// Refusals that PostgreSQL sends instead of executing. 57P01 may also end a running statement, whose
// commit may have happened, so it is not among them.
const BEFORE_EXECUTION = new Set(["25006", "57P03", "53300", "42P01", "28P01", "28000", "3D000"]);

/** Judges an error that came after the write was sent. */
export function judge(error: unknown): { outcome: Outcome; error: string } {
  if (error instanceof DatabaseError) {
    const code = error.code ?? "unknown";
    const failed = BEFORE_EXECUTION.has(code) || code.startsWith("22") || code.startsWith("23");
    return { outcome: failed ? "failed" : "indeterminate", error: code };
  }
  return {
    outcome: "indeterminate",
    error: error instanceof Error ? error.message : String(error),
  };
}
