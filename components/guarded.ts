import { Refusal } from "./refusal";

/**
 * Danger: the engine deletes every resource that a program did not register before it ended, and a program ends by itself
 * when Node's event loop is empty. An observation that never settles would so delete records and passwords.
 * While `work` runs, a ref'd timer keeps the loop alive, the exit code says failure, and a deadline turns silence into a
 * refusal.
 */
export async function guarded<T>(
  what: string,
  seconds: number,
  work: () => Promise<T>,
): Promise<T> {
  begin();
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new Refusal(
            `${what}: no answer within ${seconds} s.\nHINT: nothing was changed; look at what it waits for, then run pulumi up again.`,
          ),
        ),
      seconds * 1000,
    );
  });
  try {
    const result = await Promise.race([work(), silence]);
    end();
    return result;
  } catch (error) {
    // The exit code stays: a program that refused must not look finished.
    throw error instanceof Refusal ? error : new Refusal(messageOf(what, error));
  } finally {
    clearTimeout(timer);
  }
}

// Several pairs may be at work in one program; the exit code is given back when the last one is through.
let open = 0;
let before: typeof process.exitCode;
const EXIT_UNFINISHED = 1;

function begin(): void {
  if (open === 0) before = process.exitCode;
  open += 1;
  process.exitCode = EXIT_UNFINISHED;
}

function end(): void {
  open -= 1;
  if (open === 0) process.exitCode = before;
}

function messageOf(what: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${what}: ${text}`;
}
