import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { zonesOfState, type StateZone } from "../plan/dns/state";
import { findingsOf, type Finding, type ZoneSurvey } from "../plan/dns/zone";
import { EXIT } from "../plan/terms";
import { ApiProblem, listZone, zonePermissions, type ApiAccess } from "../sites/cloudflareApi";
import { accessFromEnvironment } from "./access";

/** What a look at the live zones gave. */
export interface Preflight {
  readonly findings: readonly Finding[];
  readonly calls: number;
  readonly records: number;
  readonly quota?: number;
}

/** `pulumi stack export | standby preflight`: live zones against declared records and ids, by list; 77 when something would stop a flip. */
export function preflightCommand(program: Command): void {
  program
    .command("preflight")
    .description("holds the live zones against `pulumi stack export` on standard input; reads only")
    .option("--json", "the findings as JSON")
    .action(async (options: { json?: true }) => {
      const zones = zonesOfState(readFileSync(0, "utf8"));
      const found = await preflight(accessFromEnvironment(), zones);
      process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : text(found));
      if (found.findings.some((one) => one.stops)) process.exitCode = EXIT.refused;
    });
}

/** Lists every zone, in ceil(N/5000) calls and one for what the token may do. A token's "no" is a finding, silence throws. */
export async function preflight(
  access: ApiAccess,
  zones: readonly StateZone[],
): Promise<Preflight> {
  const looks = await Promise.all(zones.map((zone) => look(access, zone)));
  const surveys = looks.flatMap((one) => one.surveys);
  const quota = surveys.flatMap((one) => (one.quota === undefined ? [] : [one.quota.left]));
  return {
    findings: looks.flatMap((one) => one.findings),
    calls: surveys.reduce((sum, one) => sum + one.calls, 0),
    records: surveys.reduce((sum, one) => sum + one.records.length, 0),
    ...(quota.length === 0 ? {} : { quota: Math.min(...quota) }),
  };
}

async function look(
  access: ApiAccess,
  { zone, zoneId, declared, state }: StateZone,
): Promise<{ readonly surveys: readonly ZoneSurvey[]; readonly findings: readonly Finding[] }> {
  try {
    const permissions = await zonePermissions(access, zoneId);
    const listed = await listZone(access, zone, zoneId);
    const more = permissions === undefined ? {} : { permissions };
    const survey = { ...listed, calls: listed.calls + 1, ...more };
    return { surveys: [survey], findings: findingsOf(declared, [survey], state) };
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status === 0 || error.status >= 500) throw error;
    return { surveys: [], findings: [unreadable(zone, error)] };
  }
}

function unreadable(zone: string, { status, message }: ApiProblem): Finding {
  const quota = status === 429;
  return {
    ...{ zone, name: zone, code: quota ? "quota" : "scope", stops: true },
    what: `zone ${zone} cannot be read: ${message}`,
    hint: quota
      ? "wait for the window to end, and give the pair a token of its own account."
      : "give the token Zone.DNS edit for this zone, and check the zone id.",
  };
}

function text({ findings, calls, records, quota }: Preflight): string {
  return [
    ...findings.flatMap(({ code, what, hint }) => [`${code}: ${what}`, `HINT: ${hint}`]),
    `${records} records by ${calls} calls, ${findings.length} findings; quota left ${quota ?? "not read"}`,
    "",
  ].join("\n");
}
