/**
 * Runs steps: so many at a time, none after a failure, each recorded before and after.
 *
 * The order of the records is the promise: a step stands in `pending_operations` on disk before it
 * acts, and its result is on disk before anybody who depends on it hears that it is done.
 */
import { Report, Told } from "./report";
import { Pending, Snapshot, State } from "./snapshot";

/** The run has failed or was cancelled; whoever waits for a step gets this, and no step begins. */
export class Stopped extends Error {
  constructor() {
    super("the deployment has stopped");
  }
}

/** One step. */
export interface Work {
  readonly told: Told;
  /** What is written into `pending_operations`; undefined = nothing worth recording happens. */
  readonly pending: { readonly state: State; readonly type: Pending } | undefined;
  /** The state that this step takes away. */
  readonly before: State | undefined;
  /** Does it; returns the state that results, or undefined when none does. */
  readonly act: () => Promise<State | undefined>;
}

export interface ExecutorArgs {
  readonly dryRun: boolean;
  readonly parallel: number;
  readonly snapshot: Snapshot;
  /** Writes the state. */
  readonly save: () => void;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export class Executor {
  readonly #args: ExecutorArgs;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #failed = false;
  #quietly = false;
  #halted: () => void = () => undefined;
  /** Settles once the run has failed or was cancelled AND the running steps have ended. */
  readonly halted: Promise<void>;

  constructor(args: ExecutorArgs) {
    this.#args = args;
    this.halted = new Promise((resolve) => (this.#halted = resolve));
    args.signal.addEventListener("abort", () => this.#settle());
  }

  get stopped(): boolean {
    return this.#failed || this.#args.signal.aborted;
  }

  /** @throws Stopped when the step failed (its error is reported then) or none may begin. */
  async run(work: Work): Promise<State | undefined> {
    await this.#slot();
    const { report, snapshot } = this.#args;
    try {
      if (this.stopped) throw new Stopped();
      const end = report.begin(work.told);
      try {
        const result = await this.#perform(work);
        end(true);
        return result;
      } catch (error) {
        if (work.pending !== undefined) snapshot.end(work.pending.state, undefined, undefined);
        this.fail(error, work.told.urn);
        end(false);
        if (!this.#args.dryRun) this.#args.save();
        throw new Stopped();
      }
    } finally {
      this.#release();
    }
  }

  async #perform(work: Work): Promise<State | undefined> {
    const { dryRun, snapshot, save } = this.#args;
    if (dryRun || work.pending === undefined) {
      const result = await work.act();
      if (!dryRun) snapshot.end(result ?? (work.before as State), work.before, result);
      if (!dryRun) save();
      return result;
    }
    const { state, type } = work.pending;
    snapshot.begin(state, type);
    save();
    const result = await work.act();
    snapshot.end(state, work.before, result);
    save();
    return result;
  }

  /** Takes over a state without acting. On disk only if it differs from what is there. */
  async keep(told: Told, before: State, after: State, differs: boolean): Promise<void> {
    if (this.stopped) throw new Stopped();
    const end = this.#args.report.begin(told);
    if (!this.#args.dryRun) {
      this.#args.snapshot.end(after, before, after);
      if (differs) this.#args.save();
    }
    end(true);
  }

  /** Reports an error and lets no further step begin. */
  fail(error: unknown, urn: string | undefined): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#args.report.diagnostic(
      "error",
      this.#args.dryRun ? `Preview failed: ${message}` : message,
      urn,
    );
    this.#failed = true;
    this.#settle();
  }

  /** Lets no further step begin; the reason was reported by somebody else. */
  halt(): void {
    this.#quietly = true;
    this.#failed = true;
    this.#settle();
  }

  /** Whether the run failed by a step, and not by the program, which then has said why. */
  get stepFailed(): boolean {
    return this.#failed && !this.#quietly;
  }

  /** Waits until nothing runs. */
  async idle(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #slot(): Promise<void> {
    while (this.#running >= this.#args.parallel) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }

  #release(): void {
    this.#running--;
    for (const wake of this.#waiting.splice(0)) wake();
    this.#settle();
  }

  #settle(): void {
    if (this.stopped && this.#running === 0) this.#halted();
  }
}
