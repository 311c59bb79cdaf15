import { parseDesired, type Desired, type Issue } from "../plan/desired";
import { SITE_IDS, type SiteId } from "../plan/terms";
import type { WitnessPublicKey } from "../sites/witness";
import type { StandbyPairArgs } from "./args";
import { Refusal } from "./refusal";

/** The component's arguments as the plan's wish. Throws one Refusal with every issue in it. */
export function wishOf(
  name: string,
  args: StandbyPairArgs,
  servers: readonly string[],
  key: WitnessPublicKey,
): Desired {
  const parsed = parseDesired({
    name,
    activeSite: args.activeSite,
    sites: { a: siteOf("a", name, args), b: siteOf("b", name, args) },
    services: args.services,
    maintenance: args.maintenance,
    dns: {
      ...strict(args.dns.cloudflare, [
        "zones",
        "ttl",
        "aliasTtl",
        "siteTtl",
        "proxied",
        "servers",
        "provider",
      ]),
      zones: args.dns.cloudflare.zones.map(({ zone, hostnames, zoneId: _, ...rest }) => ({
        zone,
        hostnames,
        ...rest,
      })),
      ttl: args.dns.cloudflare.ttl,
      aliasTtl: args.dns.cloudflare.aliasTtl,
      siteTtl: args.dns.cloudflare.siteTtl,
      proxied: args.dns.cloudflare.proxied,
      servers,
    },
    guard: args.guard,
    limits: args.limits,
    witnessKeys: [key, ...(args.witnessKeys ?? [])],
    acceptLoss: args.acceptLoss,
    acceptUnproven: args.acceptUnproven,
    approvedPlan: args.approvedPlan,
    observe: args.observe,
  });
  if ("wish" in parsed) return parsed.wish;
  throw new Refusal(issueText(name, parsed.issues));
}

/** Keys that no schema knows are passed on, so that the schema names them. */
function strict(given: object, known: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([key]) => !known.includes(key)));
}

function siteOf(site: SiteId, name: string, args: StandbyPairArgs): Record<string, unknown> {
  const { transport, postgres, stateDirectory, ...rest } = args.sites[site];
  return {
    ...rest,
    stateDirectory: stateDirectory ?? `/var/lib/standby/${name}`,
    database: { host: rest.addresses.v4, ...args.database.postgres, ...postgres },
    enter: transport.enter(site),
    enterLine: transport.enterLine === "" ? "sh" : transport.enterLine,
  };
}

/** Every issue on its own line, as `path: value: what to do`. */
export function issueText(name: string, issues: readonly Issue[]): string {
  const lines = issues.map((issue) => `  ${userPath(issue.path)}: ${issue.message}`);
  return [
    `standby pair ${name}: ${issues.length} ${issues.length === 1 ? "value does" : "values do"} not fit; nothing was changed`,
    ...lines,
  ].join("\n");
}

// The schema's paths, as the user wrote them.
function userPath(path: string): string {
  const site = SITE_IDS.find((id) => path.startsWith(`sites.${id}.database.`));
  if (site !== undefined)
    return path.replace(`sites.${site}.database.`, "database.postgres.") + ` (site ${site})`;
  return path.startsWith("dns.") ? path.replace("dns.", "dns.cloudflare.") : path;
}
