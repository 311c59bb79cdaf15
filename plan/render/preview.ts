import type { Observed, SiteObserved } from "../observed";
import type { Plan } from "../plan";
import { SITE_IDS, type SiteId } from "../terms";
import { unguardedText } from "../supervision";
import { awayText } from "../unreadable";
import { checklistLines, headline } from "./checklist";

/**
 * What a person reads before approving: the verdict with epoch and digest, the sites, the records, the checklist, and what a
 * failover would need. Plain text.
 */
export function preview(plan: Plan, seen: Observed): string {
  const todo = plan.steps.filter((step) => step.state === "todo");
  const records = todo.flatMap((step) =>
    step.act.kind === "record"
      ? [`  ${step.act.name} ${step.act.type}: ${step.act.live} -> ${step.act.content}`]
      : [],
  );
  return [
    headline(plan),
    ...SITE_IDS.map((site) => `  site ${site}: ${siteLine(site, seen.sites[site], plan)}`),
    ...(records.length === 0 ? ["  No DNS change."] : records),
    ...(todo.length === 0 ? [] : checklistLines(plan).map((line) => `  ${line}`)),
    ...plan.warnings.map((warning) => `  note: ${warning}`),
    `  ${failoverNeeds(plan)}`,
  ].join("\n");
}

/** What to type if the site that serves after this plan is lost: nobody should have to look it up then. */
function failoverNeeds({ from, to, epoch }: Plan): string {
  const next = epoch + 1;
  return `should site ${to} be lost after this: activeSite ${from}, and, for epoch ${next} only, acceptLoss ${next} and acceptUnproven ${next}`;
}

function siteLine(site: SiteId, seen: SiteObserved, plan: Plan): string {
  if (seen.reach !== "up") return `${awayText(seen)}, which is not the same as down`;
  const serves = site === plan.to ? "shall serve" : "shall stand by";
  const lag = seen.lagBytes === undefined ? "" : `, standby ${seen.lagBytes} bytes behind`;
  const position = seen.lsn === undefined ? "" : ` at ${seen.lsn}`;
  return `${seen.role}${position}${lag}; ${serves}`;
}

/** A refusal as a person reads it: every issue, each with its next act. */
export function refusalText(
  plan: Pick<Plan, "refusals" | "transition" | "from" | "to" | "unguarded">,
): string {
  const missing = unguardedText(plan.unguarded);
  return [
    `Nothing was changed: ${plan.transition} to site ${plan.to} is refused.${missing === "" ? "" : ` ${missing}.`}`,
    ...plan.refusals.flatMap((refusal) => [refusal.what, `HINT: ${refusal.hint}`]),
  ].join("\n");
}
