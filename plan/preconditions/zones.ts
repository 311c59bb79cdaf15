import type { Finding } from "../dns/zone";
import type { Context } from "../phases/context";
import type { Refusal } from "../step";

/** What a list of the live zones means for this plan. Only a switchover that has not begun is held up: it can wait. */

const SHOWN = 5;

function begins({ decision }: Context): boolean {
  return decision.transition === "switchover" && decision.fresh;
}

/** Records that this update would make or correct beside the flip. Apart they can each be judged; together they cannot. */
function isEdit({ code, name }: Finding, context: Context): boolean {
  const hostname = context.wish.dns.zones.some((zone) => zone.hostnames.includes(name));
  return code === "missing" && hostname;
}

export function zoneRefusals(context: Context): readonly Refusal[] {
  const findings = context.seen.dns.findings ?? [];
  if (!begins(context)) return [];
  const stops = findings.filter((one) => one.stops && one.code !== "pivot-drift");
  const edits = findings.filter((one) => isEdit(one, context));
  const { from } = context.decision;
  return [
    ...stops.map(({ code, what, hint }) => ({ code: `zone-${code}`, what, hint })),
    // Seen at the API before the name servers answer it; those are asked by drift().
    ...drifted(context),
    ...(edits.length === 0
      ? []
      : [
          {
            code: "edit-with-flip",
            what: `${edits.length} declared names are not in their zone (${listed(edits.map((one) => one.name))}); a flip is not mixed with an edit`,
            hint: `pulumi config set activeSite ${from} && pulumi up --refresh makes them first; then flip.`,
          },
        ]),
  ];
}

function drifted(context: Context): readonly Refusal[] {
  const { findings, pivots } = context.seen.dns;
  if (pivots.some((pivot) => pivot.status === "other")) return [];
  return (findings ?? [])
    .filter((one) => one.code === "pivot-drift")
    .map(({ code, what, hint }) => ({ code, what, hint }));
}

/** Findings by kind: all are counted, the first few named. At rest and at first what is missing is simply made. */
export function zoneWarnings(context: Context): readonly string[] {
  const findings = (context.seen.dns.findings ?? []).filter(
    (one) => context.decision.transition !== "initial" || one.code !== "missing",
  );
  const codes = [...new Set(findings.map((one) => one.code))];
  return codes.map((code) => {
    const of = findings.filter((one) => one.code === code);
    const [first] = of;
    const more = of.length > 1 ? ` (${of.length} names: ${listed(of.map((one) => one.name))})` : "";
    return `zone: ${first?.what ?? ""}${more}; ${first?.hint ?? ""}`;
  });
}

function listed(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return names.slice(0, SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
