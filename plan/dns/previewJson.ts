import { z } from "zod";
import { SITE_IDS } from "../terms";
import { dnsToldSchema } from "./intent";

/** `pulumi preview --json`, as far as it is read here. Whatever does not fit is an error, never an empty preview. */

const props = z.record(z.string(), z.unknown());
const state = z.looseObject({
  type: z.string(),
  id: z.string().optional(),
  importID: z.string().optional(),
  inputs: props.optional(),
});

const stepSchema = z.looseObject({
  op: z.string(),
  urn: z.string(),
  oldState: state.nullish(),
  newState: state.nullish(),
});
export type PreviewStepJson = z.infer<typeof stepSchema>;

const previewSchema = z.looseObject({
  steps: z.array(stepSchema).default([]),
  diagnostics: z
    .array(z.looseObject({ message: z.string(), severity: z.string(), urn: z.string().optional() }))
    .nullish()
    .transform((value) => value ?? []),
});
export type PreviewJson = z.infer<typeof previewSchema>;

const transitions = ["initial", "switchover", "failover", "resume", "none", "rejoin"] as const;

const siteSeen = z.looseObject({
  reach: z.string(),
  why: z.string().optional(),
  role: z.string().optional(),
  lsn: z.string().optional(),
  lagBytes: z.number().optional(),
  streaming: z.boolean().optional(),
});
export type SiteSeen = z.infer<typeof siteSeen>;

const toldSchema = z.looseObject({
  pair: z.string(),
  transition: z.enum(transitions),
  epoch: z.number(),
  from: z.enum(SITE_IDS),
  to: z.enum(SITE_IDS),
  digest: z.string(),
  states: z.record(z.string(), z.string()),
  warnings: z.array(z.string()),
  unguarded: z.array(z.enum(SITE_IDS)).default([]),
  seen: z.looseObject({ sites: z.object({ a: siteSeen, b: siteSeen }) }),
  dns: dnsToldSchema,
});
/** One pair's plan, as the program told it. */
export type ToldPlan = z.infer<typeof toldSchema>;

const runbookSchema = z.looseObject({
  digest: z.string(),
  steps: z.array(z.looseObject({ id: z.string(), title: z.string(), bound: z.number() })),
});
export type RunbookTold = z.infer<typeof runbookSchema>;

/** Parses a preview. Throws with what is wrong. */
export function parsePreview(text: string): PreviewJson {
  const start = text.indexOf("{");
  if (start < 0) throw new Error("standard input is not the JSON of pulumi preview --json");
  const parsed = previewSchema.safeParse(JSON.parse(text.slice(start)));
  if (parsed.success) return parsed.data;
  throw new Error(
    parsed.error.issues.map((one) => `${one.path.join(".")}: ${one.message}`).join("; "),
  );
}

const MARK = "standby-plan ";

/** The plans of all pairs in a preview. Throws when one cannot be read: another version wrote it. */
export function toldPlans(preview: PreviewJson): readonly ToldPlan[] {
  return preview.diagnostics
    .map((one) => one.message.replace(/^info: /, ""))
    .filter((message) => message.startsWith(MARK))
    .map((message) => toldSchema.parse(JSON.parse(message.slice(MARK.length))));
}

/** The list of steps, where the preview shows the runbook because it changes. */
export function runbooks(preview: PreviewJson): readonly RunbookTold[] {
  return preview.steps
    .map((step) => step.newState)
    .filter((one) => one?.type === "standby:index:Runbook")
    .flatMap((one) => {
      const text = one?.inputs?.plan;
      return typeof text === "string" ? [runbookSchema.parse(JSON.parse(text))] : [];
    });
}
