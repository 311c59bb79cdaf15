import { z } from "zod";

/** How the value of one fact is read: text of `key=value` lines, where `-` and nothing mean "none". */

const none = (value: string | undefined): string | undefined =>
  value === undefined || value === "-" || value === "" ? undefined : value;
export const text = z.string().optional().transform(none);
export const flag = z
  .enum(["yes", "no", "on", "off", "unknown", "-", ""])
  .optional()
  .transform((value) => value === "yes" || value === "on");
export const count = text.transform((value, context) => {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (Number.isFinite(number)) return number;
  context.addIssue({ code: "custom", message: `not a number: ${value}` });
  return z.NEVER;
});
/** One of these words, or none. */
export const maybe = <const T extends string>(values: readonly T[]) =>
  text.transform((value, context) => {
    if (value === undefined) return undefined;
    const known = values.find((candidate) => candidate === value);
    if (known !== undefined) return known;
    context.addIssue({ code: "custom", message: `not one of ${values.join(", ")}: ${value}` });
    return z.NEVER;
  });
