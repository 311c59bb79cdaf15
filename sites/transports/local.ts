import { quote, type Transport } from "./transport";

/** Arguments of {@link local}. */
export interface LocalArgs {
  /**
   * A program that is put before every command, such as `["nsenter", "--target", "1", "--net"]`; exit code 255 of it
   * means "not reached". @default none: the command runs right here
   */
  wrap?: readonly string[];
}

/** The site is this very machine, or one that a wrapping program leads to. */
export function local(args: LocalArgs = {}): Transport {
  const prefix = (args.wrap ?? []).map(quote).join(" ");
  return {
    kind: "local",
    enter: () => `${prefix} sh -c "$1"`.trim(),
    enterLine: prefix,
  };
}
