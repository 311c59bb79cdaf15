import { z } from "zod";
import { issuesOf } from "../../plan/desired";
import { misfit, quote, type Transport } from "./transport";

/** Arguments of {@link local}. */
export interface LocalArgs {
  /**
   * A program that is put before every command, such as `["nsenter", "--target", "1", "--net"]`; exit code 255 of it
   * means "not reached". @default none: the command runs right here
   */
  wrap?: readonly string[];
}

const schema = z.strictObject({
  wrap: z
    .array(z.string().regex(/^[^\p{Cc}]+$/u, "must be one line without control characters"))
    .min(1, "name the program that leads to the site, or leave wrap out")
    .optional(),
});

/** The site is this very machine, or one that a wrapping program leads to. */
export function local(args: LocalArgs = {}): Transport {
  const parsed = schema.safeParse(args);
  if (!parsed.success) return misfit("local", issuesOf(parsed.error, args));
  const prefix = (parsed.data.wrap ?? []).map(quote).join(" ");
  return {
    kind: "local",
    enter: () => `${prefix} sh -c "$1"`.trim(),
    enterLine: prefix,
  };
}
