import type { NameServer } from "./names";
import { nowMs, type Operation } from "./operations";
import { longestGap, reportLedger, type Gap, type LedgerReport, type LedgerRow } from "./report";
import { Writer } from "./writer";

/** What the ledger needs to know to begin. */
export interface LedgerOptions {
  readonly dns: NameServer;
  /** The public name that leads to the database, resolved anew at each reconnect. */
  readonly name: string;
  /** The first half of the writers knows these hosts instead of the name. @default all resolve the name */
  readonly hosts?: readonly string[];
  readonly port: number;
  readonly user?: string;
  /** @default none: the server trusts this user */
  readonly password?: string;
  readonly database?: string;
  /** @default 4 */
  readonly writers?: number;
  /** Pause of each writer between two writes, in milliseconds. @default 2 */
  readonly delayMs?: number;
  /** The first writer's number; give each ledger over the same table its own range. @default 1 */
  readonly firstWriter?: number;
}

/** The table that the writers fill. */
export const LEDGER_TABLE =
  "create table if not exists ledger(writer int, seq bigint, site text, at timestamptz default clock_timestamp(), primary key(writer, seq))";

/** The query whose rows {@link Ledger.report} wants. */
export const LEDGER_ROWS = "select writer, seq::int as seq from ledger";

/** Clients that write without pause and note what was promised to them. */
export class Ledger {
  readonly #writers: readonly Writer[];

  private constructor(options: LedgerOptions) {
    const { dns, name, port, user = "postgres", database = "postgres", delayMs = 2 } = options;
    const { firstWriter = 1, writers = 4, hosts, password } = options;
    this.#writers = Array.from({ length: writers }, (_, index) => {
      const listed = hosts !== undefined && index < writers / 2 ? { hosts } : {};
      return new Writer(firstWriter + index, {
        dns,
        name,
        port,
        user,
        ...(password === undefined ? {} : { password }),
        database,
        delayMs,
        ...listed,
      });
    });
  }

  /** Starts the writers; they go on through every error until {@link stop}. */
  static start(options: LedgerOptions): Ledger {
    return new Ledger(options);
  }

  /** Ends each writer after the write it has in flight (at most about a second). */
  async stop(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.stop()));
  }

  /** A moment to measure between, in milliseconds since 1970. */
  mark(): number {
    return nowMs();
  }

  /** All operations so far, in no order. */
  operations(): readonly Operation[] {
    return this.#writers.flatMap((writer) => writer.operations);
  }

  /** Acknowledged writes so far; cheap enough to poll. */
  acked(host?: string): number {
    return this.#acks().filter((ack) => host === undefined || ack.host === host).length;
  }

  /** The longest time without an acknowledgement of any writer that touches the window. */
  databaseGap(fromMs?: number, toMs?: number): Gap | undefined {
    return longestGap(
      this.#acks().map((ack) => ack.endMs),
      fromMs,
      toMs,
    );
  }

  /** Holds the notes against the rows that exist; stop the writers first. */
  report(rowsOnPrimary: readonly LedgerRow[], deltaRows?: readonly LedgerRow[]): LedgerReport {
    return reportLedger(this.operations(), rowsOnPrimary, deltaRows);
  }

  #acks(): readonly Operation[] {
    return this.operations().filter((operation) => operation.outcome === "acknowledged");
  }
}
