import * as pulumi from "@pulumi/pulumi";
import { Refusal } from "./refusal";
import { begin, type Unfinished } from "./unfinished";

/** What is guarded, in the words of a refusal. */
export interface GuardedArgs<T> {
  /** Such as `standby pair shop`. */
  readonly what: string;
  /** Seconds that looking may take before silence becomes a refusal. */
  readonly seconds: number;
  /** Looks, and makes every check; registers nothing. */
  readonly look: () => Promise<T>;
  /** Registers the children and returns them all. Throws nothing that `look` could have found. */
  readonly make: (seen: T) => readonly pulumi.Resource[];
}

/**
 * Runs the body of a component so that a program which fails, hangs or ends in it deletes nothing: a ref'd timer keeps the
 * event loop alive while it looks, a deadline turns silence into a refusal, and the exit code says failure until the engine
 * has answered for the last child.
 * @throws Refusal
 */
export async function guarded<T>(args: GuardedArgs<T>): Promise<T> {
  const unfinished = begin(args.what);
  try {
    const seen = await within(args, unfinished);
    if (pulumi.log.hasErrors()) {
      throw new Refusal(
        `${args.what}: the program logged an error and went on, so nothing is changed.\nHINT: see the error above; then run pulumi up again.`,
      );
    }
    void answered(args.make(seen)).then(unfinished.done);
    return seen;
  } catch (error) {
    unfinished.refused();
    throw error instanceof Refusal ? error : new Refusal(messageOf(args.what, error));
  }
}

async function within<T>(args: GuardedArgs<T>, unfinished: Unfinished): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refusal(silenceText(args))), args.seconds * 1000);
  });
  // Told already: nothing more is said, and what hangs on this pair stays unsettled.
  const elsewhere = unfinished.elsewhere.then(() => {
    clearTimeout(timer);
    return new Promise<never>(() => undefined);
  });
  try {
    return await Promise.race([args.look(), silence, elsewhere]);
  } finally {
    clearTimeout(timer);
  }
}

function silenceText({ what, seconds }: { what: string; seconds: number }): string {
  return `${what}: no answer within ${seconds} s.\nHINT: nothing was changed; look at what it waits for, then run pulumi up again.`;
}

/** Resolves when the engine has answered for all of them. If one fails, the engine ends the program instead. */
function answered(resources: readonly pulumi.Resource[]): Promise<void> {
  return new Promise((resolve) => {
    pulumi.all(resources.map((resource) => resource.urn)).apply(() => resolve());
  });
}

function messageOf(what: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${what}: ${text}`;
}
