import { z } from "zod";
import { pivotName, siteName, type Desired } from "../desired";
import type { Observed } from "../observed";
import type { Plan } from "../plan";
import { otherSite, SITE_IDS } from "../terms";
import { declaredRecords, dnsShape } from "./records";
import type { Finding } from "./zone";

/**
 * What an update means to do to DNS, and all that a reader of its preview needs to hold it to that: `none` writes
 * nothing, `flip` writes pivots and witness, `edit` makes or corrects declared records, `adopt` takes live records into
 * the state unchanged. Each has one exact allowed set (judge.ts); a flip is never mixed with an edit.
 */
export const DNS_INTENTS = ["none", "flip", "adopt", "edit"] as const;
export type DnsIntent = (typeof DNS_INTENTS)[number];

const addresses = z.object({ v4: z.string(), v6: z.string().optional() });

const zoneTold = z.object({
  zone: z.string(),
  /** How many hostnames lie behind the pivot, and the first three. */
  names: z.number(),
  examples: z.array(z.string()),
  /** What the servers answer for the pivot now. */
  live: z.string(),
  /** Id of the live pivot, where the zone was listed. */
  pivotId: z.string().optional(),
  /** Hostnames, relative to the zone and apart by spaces, whose records this update makes or corrects. */
  edits: z.string(),
  /** Whether site addresses or settings of the machine's own records are made or corrected too. */
  machine: z.boolean(),
});

export const dnsToldSchema = z.object({
  intent: z.enum(DNS_INTENTS),
  ttl: z.number(),
  aliasTtl: z.number().optional(),
  siteTtl: z.number().optional(),
  proxied: z.boolean(),
  addresses: z.object({ a: addresses, b: addresses }),
  witness: z.object({ name: z.string(), live: z.string() }),
  zones: z.array(zoneTold).min(1),
  /** Live records that enter the state: `ZONEID/ID NAME TYPE`. */
  imports: z.array(z.string()),
  /** What the list of the zones cost and found. Absent: they were not listed. */
  survey: z
    .object({
      calls: z.number(),
      records: z.number(),
      quota: z.number().optional(),
      findings: z.array(z.object({ code: z.string(), what: z.string(), hint: z.string() })),
      /** Findings beyond those listed. */
      more: z.number(),
    })
    .optional(),
});
export type DnsTold = z.infer<typeof dnsToldSchema>;
export type ZoneTold = z.infer<typeof zoneTold>;

/** What the list of all zones gave the program. */
export interface DnsSurvey {
  readonly calls: number;
  readonly records: number;
  readonly quota?: number;
  readonly findings: readonly Finding[];
  /** Ids of the live pivots by zone. */
  readonly pivotIds: Readonly<Record<string, string>>;
}

const FINDINGS_TOLD = 50;
// What an update makes or corrects by itself; the rest is for a person.
const EDITS: readonly Finding["code"][] = ["missing", "hand-edit", "wrong-ttl", "wrong-proxied"];

/** Names whose records differ from what is declared, of one zone. */
function edited(survey: DnsSurvey | undefined, zone: string): readonly string[] {
  const names = (survey?.findings ?? [])
    .filter((one) => one.zone === zone && EDITS.includes(one.code))
    .map((one) => one.name);
  return [...new Set(names)];
}

/** The plan's DNS part in the words of a preview. */
export function dnsTold(
  wish: Desired,
  seen: Observed,
  plan: Pick<Plan, "transition" | "steps">,
  survey?: DnsSurvey,
  imports: readonly string[] = [],
): DnsTold {
  const shape = dnsShape(wish);
  const zones = wish.dns.zones.map(({ zone, hostnames }) => {
    const step = plan.steps.find((one) => one.id === `pivot-${zone}`);
    // The first update of a pair makes everything; without a list nobody knows more than that.
    const initial = plan.transition === "initial";
    const all = edited(survey, zone);
    const edits = initial ? hostnames : hostnames.filter((name) => all.includes(name));
    const id = survey?.pivotIds[zone];
    return {
      zone,
      names: hostnames.length,
      examples: hostnames.slice(0, 3),
      live: step?.act.kind === "record" ? step.act.live : "not asked",
      ...(id === undefined ? {} : { pivotId: id }),
      edits: edits.map((name) => relative(name, zone)).join(" "),
      machine: initial || all.some((name) => !hostnames.includes(name)),
    };
  });
  const { ttl, aliasTtl, siteTtl, proxied } = shape;
  const intent = intentOf(plan, zones, imports);
  return {
    intent,
    ttl,
    ...(aliasTtl === undefined ? {} : { aliasTtl }),
    ...(siteTtl === undefined ? {} : { siteTtl }),
    proxied,
    addresses: shape.addresses,
    witness: { name: shape.witness, live: seen.dns.witness.status },
    zones,
    imports: [...imports],
    ...(survey === undefined ? {} : { survey: surveyTold(survey, intent) }),
  };
}

function intentOf(
  plan: Pick<Plan, "transition" | "steps">,
  zones: readonly ZoneTold[],
  imports: readonly string[],
): DnsIntent {
  const writes = plan.steps.some((step) => step.act.kind === "record" && step.state === "todo");
  if (imports.length > 0) return "adopt";
  if (plan.transition === "initial" && writes) return "edit";
  if (writes) return "flip";
  return zones.some((one) => one.edits !== "" || one.machine) ? "edit" : "none";
}

function surveyTold(survey: DnsSurvey, intent: DnsIntent): NonNullable<DnsTold["survey"]> {
  const { calls, records, quota } = survey;
  // What an edit makes is among its records.
  const edits = intent === "edit" || intent === "adopt";
  const findings = survey.findings.filter((one) => !edits || one.code !== "missing");
  return {
    calls,
    records,
    ...(quota === undefined ? {} : { quota }),
    findings: findings
      .slice(0, FINDINGS_TOLD)
      .map(({ code, what, hint }) => ({ code, what, hint })),
    more: Math.max(0, findings.length - FINDINGS_TOLD),
  };
}

function relative(name: string, zone: string): string {
  return name === zone ? "@" : name.slice(0, -zone.length - 1);
}

/** The hostnames that a told zone names as edits, in full. */
export function editsOf({ edits, zone }: ZoneTold): readonly string[] {
  return edits === ""
    ? []
    : edits.split(" ").map((name) => (name === "@" ? zone : `${name}.${zone}`));
}

/** The declared records that this update may make or correct. */
export function editable(told: DnsTold): ReturnType<typeof declaredRecords> {
  const shape = {
    ...told,
    witness: told.witness.name,
    zones: told.zones.map((one) => ({ zone: one.zone, hostnames: editsOf(one) })),
  };
  const machine = new Set(told.zones.filter((one) => one.machine).map((one) => one.zone));
  return declaredRecords(shape).filter(
    (record) => record.role === "alias" || machine.has(record.zone),
  );
}

/** What a pivot says before and after a transition from one site to the other. */
export function pivotChange(
  zone: string,
  to: (typeof SITE_IDS)[number],
): { readonly name: string; readonly before: string; readonly after: string } {
  return {
    name: pivotName(zone),
    before: siteName(otherSite(to), zone),
    after: siteName(to, zone),
  };
}
