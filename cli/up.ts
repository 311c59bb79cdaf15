import { spawn, type ChildProcess } from "node:child_process";
import type { Command } from "commander";
import { EXIT } from "../plan/terms";

/** How an update is bounded. */
export interface UpOptions {
  /** The update itself, such as `pulumi up --yes`. */
  readonly command: readonly string[];
  /** Seconds for the whole update. @default none: a first copy of the data may take hours */
  readonly deadline?: number;
  /** Seconds between the two polite signals, and before the last one. */
  readonly grace: number;
  readonly complain: (line: string) => void;
}

/** `standby up -- pulumi up --yes`: ends an update that a silent DNS API would hold for ever. */
export function upCommand(program: Command): void {
  program
    .command("up")
    .description(
      "runs an update and ends it when a DNS call has had no answer within its bound, or at --deadline; 75 then",
    )
    .option("--deadline <seconds>", "for the whole update", seconds)
    .option("--grace <seconds>", "between the signals that end it", seconds, 15)
    .argument("<command...>", "the update, after --: pulumi up --yes --skip-preview")
    .action(async (command: string[], given: { deadline?: number; grace: number }) => {
      const complain = (line: string) => process.stderr.write(`${line}\n`);
      process.exitCode = await up({ command, complain, ...given });
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new Error(`${text}: seconds are needed, above 0`);
}

/**
 * The provider's HTTP client has no deadline, and no engine ends a call that hangs. The program knows when a DNS call is
 * overdue and rings here (SIGUSR2 to STANDBY_UP_PID). Danger: an engine that is ended may leave its lock and a pending
 * operation; both are the next update's to clear, and the call may still have been carried out.
 */
export async function up(options: UpOptions): Promise<number> {
  const [program = "", ...args] = options.command;
  const child = spawn(program, args, {
    stdio: "inherit",
    env: { ...process.env, STANDBY_UP_PID: String(process.pid) },
  });
  let why: string | undefined;
  const end = (reason: string) => {
    if (why !== undefined) return;
    why = reason;
    options.complain(`${reason}; ending the update`);
    void endPolitely(child, options.grace * 1000);
  };
  const overdue = () =>
    end("DNS pending: a call to the DNS API has had no answer within its bound");
  const timer =
    options.deadline === undefined
      ? undefined
      : setTimeout(
          () => end(`the update took more than ${options.deadline} s`),
          options.deadline * 1000,
        );
  // A person's Ctrl-C reaches the update by itself; this process only waits for it.
  const wait = () => undefined;
  process.on("SIGUSR2", overdue).on("SIGINT", wait);
  try {
    const code = await ended(child);
    if (why === undefined) return code;
    options.complain(
      `${why}. What that call did is unknown, everything before it is done and recorded.\nHINT: run the same line again: it looks before it acts, and finishes when the API answers. If it says that the stack is locked: standby unlock.`,
    );
    return EXIT.later;
  } finally {
    clearTimeout(timer);
    process.off("SIGUSR2", overdue).off("SIGINT", wait);
  }
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Once: finish what runs. Twice: end at once. Then there is nothing left to ask. */
async function endPolitely(child: ChildProcess, graceMs: number): Promise<void> {
  for (const signal of ["SIGINT", "SIGINT", "SIGKILL"] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, graceMs).unref());
  }
}
