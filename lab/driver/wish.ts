import { parseDesired, type Desired } from "../../plan/desired";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import type { LabService } from "../../stacks/demo/lab";
import type { CellLab } from "../place";

/** What a person can say by `pulumi config set` between two updates. */
export interface DriverFlags {
  readonly activeSite: SiteId;
  readonly acceptLoss?: number;
  readonly acceptUnproven?: number;
}

/** What the program of a lab pair says; the rest is as in stacks/demo. */
export interface DriverSettings {
  readonly services: readonly LabService[];
  /** Where each site's database is reached by the other site, such as a proxy. @default the sites' own addresses */
  readonly databaseHosts?: Readonly<Record<SiteId, string>>;
  /** Seconds that an ordinary step may take. @default 8 */
  readonly stepSeconds?: number;
  /** @default the shortest that the schema lets a guard have */
  readonly guard?: { readonly bound: number; readonly after: number; readonly poll: number };
}

const SHORTEST = { bound: 6, after: 1, poll: 1 };
const STOP_SECONDS = 4;

/** The wish that the program of this lab would hand over. Throws with every issue when the lab does not fit the schema. */
export function labWish(lab: CellLab, flags: DriverFlags, settings: DriverSettings): Desired {
  const { cloudflare, zone, hostnames } = lab;
  const parsed = parseDesired({
    name: "shop",
    ...flags,
    sites: Object.fromEntries(SITE_IDS.map((site) => [site, siteOf(lab, site, settings)])),
    services: settings.services,
    dns: {
      zones: [{ zone, hostnames: [...hostnames] }],
      servers: cloudflare.dnsAddresses.map((address) => `${address}#${cloudflare.dnsPort}`),
    },
    guard: settings.guard ?? SHORTEST,
    limits: { stepSeconds: settings.stepSeconds ?? 8 },
    witnessKeys: [lab.witnessPublicKey],
  });
  if ("wish" in parsed) return parsed.wish;
  throw new Error(parsed.issues.map((issue) => `${issue.path}: ${issue.message}`).join("\n"));
}

function siteOf(lab: CellLab, site: SiteId, settings: DriverSettings): object {
  const { host } = lab.sites[site];
  const { database, ...described } = lab.sites[site].describe();
  return {
    provider: `provider-${site}`,
    region: `region-${site}`,
    addresses: { v4: host },
    ...described,
    database: {
      ...database,
      host: settings.databaseHosts?.[site] ?? host,
      stopSeconds: STOP_SECONDS,
    },
  };
}
