import { writeSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { Refusal } from "./refusal";

/**
 * Danger: the engine deletes every resource that a program did not register before it ended with exit code 0, and a program
 * ends by itself when Node's event loop is empty. So from the first line of a pair until the engine has answered for its last
 * child, the exit code says failure; and whoever ends the program before that is told what was left open.
 */

/** The SDK's exit code for "failed, and the user was told why": the engine then adds no text of its own. */
const TOLD = 32;
const FAILED = 1;

const open = new Map<symbol, string>();
let before: typeof process.exitCode;
// A failure is final: a pair that is through later must not make the program look finished.
let failed = false;
let watching = false;
// A program that comes to its end is first asked whether there is more to do; one that ends itself is not.
let silent = false;
// The program's own last line has not been reached yet.
let hanging = false;

/** The SDK's stack, whose data is what the program exports. */
interface WithData {
  getData(): Promise<unknown>;
}

/** One pair that is not through yet. */
export interface Unfinished {
  /** The engine has answered for every child. */
  readonly done: () => void;
  /** The program refuses; the thrown error is what the user is told. */
  readonly refused: () => void;
  /** Settles, without a value, as soon as anything else in the program has failed; what is awaited may then never come. */
  readonly elsewhere: Promise<void>;
}

/** Marks `what` as begun. */
export function begin(what: string): Unfinished {
  watch();
  const id = Symbol(what);
  if (open.size === 0 && !failed) before = process.exitCode;
  open.set(id, what);
  process.exitCode = failed ? TOLD : FAILED;
  const close = () => {
    open.delete(id);
    hearers.delete(id);
  };
  return {
    elsewhere: new Promise<void>((resolve) => hearers.set(id, resolve)),
    done: () => {
      close();
      if (open.size === 0 && !failed) process.exitCode = before;
    },
    refused: () => {
      close();
      told();
    },
  };
}

const hearers = new Map<symbol, () => void>();

function watch(): void {
  if (watching) return;
  watching = true;
  // The promise of the program itself. Without an engine (unit tests) there is no such thing.
  const stack = pulumi.runtime.getStackResource() as unknown as WithData | undefined;
  hanging = stack !== undefined;
  stack?.getData().then(
    () => (hanging = false),
    () => undefined,
  );
  process.on("uncaughtException", failedElsewhere);
  process.on("unhandledRejection", failedElsewhere);
  process.on("beforeExit", fallenSilent);
  process.on("exit", ended);
}

function told(): void {
  failed = true;
  process.exitCode = TOLD;
}

// The SDK prints what failed; listening too only keeps the code, and ends what still looks.
function failedElsewhere(): void {
  told();
  for (const hear of hearers.values()) hear();
}

/** The event loop is empty. The SDK would now tell the engine that the program is finished. */
function fallenSilent(): void {
  silent = true;
  if (failed) return;
  const reason = unfinishedText("the program fell silent");
  if (reason === undefined) return;
  told();
  // Thrown from here it is printed as every other refusal is.
  setImmediate(() => {
    throw new Refusal(reason);
  });
}

/** `process.exit(0)` asks nobody; only the code can still be changed, and text be written at once. */
function ended(code: number): void {
  if (failed && code === 0) process.exitCode = TOLD;
  if (failed || silent || (code !== 0 && code !== FAILED)) return;
  const reason =
    unfinishedText("the program ended itself") ??
    "The program ended itself, so nobody knows whether it was finished.\nHINT: nothing is deleted; take process.exit out of the program, or let it exit with a code of its own.";
  process.exitCode = FAILED;
  writeSync(process.stderr.fd, `${reason}\n`);
}

/** What is wrong with a program that ends here; undefined when nothing is. */
function unfinishedText(how: string): string | undefined {
  if (open.size > 0) {
    return [
      `${[...open.values()].join(", ")}: ${how} before the engine had answered for all resources.`,
      "HINT: nothing is deleted; mend the program and run pulumi up again.",
    ].join("\n");
  }
  if (hanging && silent) {
    return "The program fell silent before its end: something that it awaits will never come.\nHINT: nothing is deleted; mend the program and run pulumi up again.";
  }
  // The engine would count an update as finished in which an error was logged but not thrown.
  return pulumi.log.hasErrors()
    ? "An error was logged and nothing was thrown.\nHINT: nothing is deleted; throw an error where the program must stop, then run pulumi up again."
    : undefined;
}
