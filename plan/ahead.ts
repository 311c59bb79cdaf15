import { lsnDistance } from "./divergence";
import { factsOf } from "./newest";
import type { Observed, SiteFacts } from "./observed";
import type { Desired } from "./desired";
import type { Refusal } from "./step";
import type { Decision } from "./transition";
import { otherSite, SITE_IDS, type SiteId } from "./terms";

/**
 * A standby that holds what its primary does not have: the primary's disk came back older (a snapshot, a restored volume, a cache that
 * lied), or the two parted. It is the only copy of that, so nothing may restart it, copy over it or let it follow.
 */
export interface Ahead {
  readonly site: SiteId;
  readonly primary: SiteId;
  /** The primary accepts writes, or is about to stop; else its own guard has closed it. */
  readonly serves: boolean;
  /** What was seen, with its numbers. */
  readonly what: string;
}

/**
 * Danger: the two sites are looked at one after the other, so a standby that streams may be seen beyond a position that its primary
 * had earlier. Of one that streams only the primary's own look at both counts (`lag_bytes`), or what the rejoin verb found (`beyond`).
 */
export function ahead(seen: Observed): Ahead | undefined {
  for (const primary of SITE_IDS) {
    const site = otherSite(primary);
    const [here, standby] = [factsOf(seen.sites[primary]), factsOf(seen.sites[site])];
    if (here === undefined || standby?.role !== "standby" || standby.held) continue;
    if (!mayServe(here) || here.systemIdentifier !== standby.systemIdentifier) continue;
    const more = surplus(here, standby);
    if (more === undefined) continue;
    const ends = `site ${primary}, the primary, is at ${String(here.lsn)} on timeline ${String(here.timeline)}`;
    return {
      site,
      primary,
      serves: here.role !== "standby",
      what: `site ${site}, the standby, ${more}; ${ends}: the disk of site ${primary} is older than that of site ${site}`,
    };
  }
  return undefined;
}

/** Serves, or was closed by its own guard, as it is on an older disk. */
const mayServe = ({ role, held }: SiteFacts): boolean =>
  role === "primary" || role === "armed" || (role === "standby" && held);

function surplus(primary: SiteFacts, standby: SiteFacts): string | undefined {
  const { lagBytes } = primary;
  const at = `${String(standby.lsn)} on timeline ${String(standby.timeline)}`;
  if (standby.beyond !== undefined)
    return `has replayed up to ${standby.beyond} what its primary does not have`;
  if (lagBytes !== undefined && lagBytes < 0)
    return `holds ${-lagBytes} bytes more: it has replayed up to ${at}`;
  if (primary.streaming || standby.streaming) return undefined;
  const [mine, theirs] = [standby.timeline, primary.timeline];
  if (mine === undefined || theirs === undefined) return undefined;
  if (mine > theirs) return `is at ${at}, which its primary was never on`;
  const beyond = lsnDistance(primary.lsn, standby.lsn);
  if (mine < theirs || beyond === undefined || beyond <= 0) return undefined;
  return `holds ${beyond} bytes more: it has replayed up to ${at}`;
}

/** In every transition, none included; a failover to that very site is the way out. */
export function olderPrimary(
  { discardDelta }: Pick<Desired, "discardDelta">,
  seen: Observed,
  { transition, epoch, to }: Decision,
): readonly Refusal[] {
  const found = ahead(seen);
  // A person gives up what only the standby holds.
  if (discardDelta === epoch && to === found?.primary) return [];
  // One that is closed may have more to replay: before it is opened, its verb compares what the two disks hold.
  if (found?.serves !== true || (transition === "failover" && to === found.site)) return [];
  const { site, primary, what } = found;
  return [
    {
      code: "older-primary",
      what,
      hint: `keep both data directories as they are and let site ${site} serve: pulumi config set activeSite ${site} && pulumi up; what only site ${primary} has written is exported then. Or give up what only site ${site} holds: pulumi config set discardDelta ${epoch} && pulumi up`,
    },
  ];
}
