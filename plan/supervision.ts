import { factsOf } from "./newest";
import type { Desired } from "./desired";
import type { Observed, SiteFacts } from "./observed";
import { SITE_IDS, type SiteId } from "./terms";

/** Who watches over the sites: a running guard, and the systemd units that make it a part of each start of PostgreSQL. */

/** Sites that were set up and have no running guard: there nothing bounds how long a lost primary goes on. */
export function unguarded({ sites }: Observed): readonly SiteId[] {
  return SITE_IDS.filter((site) => {
    const facts = factsOf(sites[site]);
    return facts?.prepared !== undefined && !facts.guardRunning;
  });
}

/** For the first line of whatever speaks of the pair; empty where every guard runs. */
export function unguardedText(sites: readonly SiteId[]): string {
  if (sites.length === 0) return "";
  return `NO GUARD RUNS at site ${sites.join(" and site ")}`;
}

/** Under systemd: the units are missing, were changed, or do not run. Prepare mends it, at rest too. */
export function unitsBroken(facts: SiteFacts): boolean {
  if (facts.unit === undefined || facts.prepared === undefined) return false;
  return (
    facts.units !== "same" ||
    !facts.guardRunning ||
    (facts.startConf !== undefined && facts.startConf !== "auto")
  );
}

/** A server outside its unit dies with a session, is not stopped by its unit, and loses writes at a shutdown. */
export function strays(wish: Desired, { sites }: Observed): readonly string[] {
  return SITE_IDS.flatMap((site) => {
    const facts = factsOf(sites[site]);
    if (facts?.owner !== "session" && facts?.owner !== "other") return [];
    const { stateDirectory, enterLine } = wish.sites[site];
    const where = facts.owner === "session" ? "inside a login session" : "outside it";
    return [
      `site ${site}: PostgreSQL does not run in ${facts.unit ?? "its unit"} but ${where}; a shutdown of the host would lose writes; to move it (a restart): ${enterLine} ${stateDirectory}/guard move`,
    ];
  });
}
