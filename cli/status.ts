import { z } from "zod";
import { unguardedText } from "../plan/supervision";
import { SITE_IDS } from "../plan/terms";
import { awayText } from "../plan/unreadable";
import type { ToldPlan } from "./previewFile";
import type { Talk } from "./talk";

const siteSchema = z.object({
  reach: z.string(),
  why: z.string().optional(),
  role: z.string().optional(),
  lsn: z.string().optional(),
  timeline: z.number().optional(),
  streaming: z.boolean().optional(),
  lagBytes: z.number().optional(),
  settled: z.number().optional(),
  services: z.record(z.string(), z.string()).optional(),
});
const seenSchema = z.object({ sites: z.object({ a: siteSchema, b: siteSchema }) });

/** What the sites said when the preview was made. */
export function status(plan: ToldPlan, talk: Talk): void {
  const { sites } = seenSchema.parse(plan.seen);
  const missing = unguardedText(plan.unguarded);
  talk.say(
    `${plan.pair}: ${plan.transition}, epoch ${plan.epoch}, site ${plan.to} shall serve${missing === "" ? "" : `; ${missing}`}`,
  );
  for (const site of SITE_IDS) {
    const seen = sites[site];
    const known = [
      seen.role,
      seen.lsn === undefined ? undefined : `at ${seen.lsn} on timeline ${seen.timeline ?? "?"}`,
      seen.lagBytes === undefined ? undefined : `standby ${seen.lagBytes} bytes behind`,
      seen.settled === undefined ? undefined : `settled epoch ${seen.settled}`,
      ...Object.entries(seen.services ?? {}).map(([name, state]) => `${name} ${state}`),
    ].filter((one) => one !== undefined);
    const text = seen.reach === "up" ? known.join(", ") : awayText(seen);
    talk.say(`  site ${site}: ${text}`);
  }
  for (const warning of plan.warnings) talk.say(`  note: ${warning}`);
}
