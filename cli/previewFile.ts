import { z } from "zod";
import { Complaint } from "./talk";

/** What these commands read of `pulumi preview --json`. */
const stateSchema = z.object({
  type: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).default({}),
});
const previewSchema = z.object({
  steps: z
    .array(
      z.object({
        op: z.string(),
        urn: z.string(),
        oldState: stateSchema.optional(),
        newState: stateSchema.optional(),
      }),
    )
    .default([]),
  diagnostics: z.array(z.object({ severity: z.string(), message: z.string() })).default([]),
});
export type PreviewStep = z.infer<typeof previewSchema>["steps"][number];

/** The program's own line about its plan. */
const planSchema = z.object({
  pair: z.string(),
  transition: z.string(),
  epoch: z.number(),
  from: z.enum(["a", "b"]),
  to: z.enum(["a", "b"]),
  digest: z.string(),
  run: z.string(),
  states: z.record(z.string(), z.string()),
  needs: z.record(z.string(), z.array(z.object({ fact: z.string(), of: z.string() }))),
  warnings: z.array(z.string()),
  unguarded: z.array(z.enum(["a", "b"])).default([]),
  seen: z.unknown(),
});
export type ToldPlan = z.infer<typeof planSchema>;

/** A preview of one program, with the plan of each pair in it. */
export interface PreviewFile {
  readonly steps: readonly PreviewStep[];
  readonly plans: readonly ToldPlan[];
}

const MARK = "standby-plan ";

/**
 * Reads the JSON of a preview.
 * @throws Complaint when it is not one, or when the program refused: then with the refusal
 */
export function readPreview(text: string): PreviewFile {
  const { steps, diagnostics } = parse(text);
  const errors = diagnostics.filter((one) => one.severity === "error");
  if (errors.length > 0) {
    throw new Complaint(
      errors.map((one) => one.message.trim()).join("\n"),
      "the preview was refused; mend what it names and make it again.",
    );
  }
  const plans = diagnostics.flatMap(({ message }) => {
    const at = message.indexOf(MARK);
    return at < 0 ? [] : [planSchema.parse(JSON.parse(message.slice(at + MARK.length)))];
  });
  if (plans.length === 0) {
    throw new Complaint(
      "this preview holds no plan of a standby pair",
      "make it by: pulumi preview --json >preview.json",
    );
  }
  return { steps, plans };
}

function parse(text: string): z.infer<typeof previewSchema> {
  try {
    return previewSchema.parse(JSON.parse(text));
  } catch {
    throw new Complaint(
      "this is not the JSON of a preview",
      "make it by: pulumi preview --json >preview.json",
    );
  }
}

/** The plan of one pair; the only one when no name is given. */
export function planOf(file: PreviewFile, pair: string | undefined): ToldPlan {
  const found = pair === undefined ? file.plans : file.plans.filter((plan) => plan.pair === pair);
  const [plan] = found;
  if (plan !== undefined && found.length === 1) return plan;
  throw new Complaint(
    `the preview holds the pairs ${file.plans.map((one) => one.pair).join(", ")}`,
    "name one of them: --pair NAME",
  );
}
