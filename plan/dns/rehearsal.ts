import { z } from "zod";
import { SITE_IDS } from "../terms";

/** What would happen to every name if the pivot pointed to a site: a preview of effect, not of records. */
export const rehearsalSchema = z.object({
  site: z.enum(SITE_IDS),
  /** How many names were tried, and how many would work. */
  names: z.number(),
  works: z.number(),
  faults: z.array(z.object({ name: z.string(), what: z.string() })),
});
export type Rehearsal = z.infer<typeof rehearsalSchema>;
