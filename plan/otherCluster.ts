import type { Desired } from "./desired";
import { factsOf } from "./newest";
import type { Observed, SiteFacts } from "./observed";
import { atSite, serverLine } from "./preconditions/typed";
import type { Refusal } from "./step";
import { otherSite, SITE_IDS, type SiteId } from "./terms";

/**
 * Two different databases where no pair was made yet, such as the empty cluster that Debian makes with its package. They are
 * not two writers of one database, and neither is ever removed: one is put aside by a person.
 */
export function otherCluster(wish: Desired, seen: Observed): readonly Refusal[] {
  const to = wish.activeSite;
  const from = otherSite(to);
  const here = factsOf(seen.sites[to]);
  const left = factsOf(seen.sites[from]);
  if (here === undefined || left === undefined || !differ(here, left)) return [];
  if (blank(here) && !blank(left)) return [wishNamesBlank(from, to)];
  const { dataDirectory: data } = wish.sites[from].database;
  const runs = left.role !== "down";
  return [
    {
      code: "other-cluster",
      what: `site ${from}: ${data} holds ${kindOf(left)} (system identifier ${String(left.systemIdentifier)}, site ${to}'s is ${String(here.systemIdentifier)})`,
      hint: `${blank(left) ? "" : "if nobody needs it there, "}put it aside; its configuration (${left.ground.configFile ?? "none found"}) stays and is used; ${atSite(
        wish,
        from,
        [...(runs ? [serverLine(wish, from, left, "stop")] : []), `mv ${data} ${data}.aside`],
      )}`,
    },
  ];
}

/** Whether the two sites' databases are known to be different ones. */
export function differ(one: SiteFacts, other: SiteFacts): boolean {
  const [mine, theirs] = [one.systemIdentifier, other.systemIdentifier];
  return mine !== undefined && theirs !== undefined && mine !== theirs;
}

/** No site has a record of a pair, and their databases are different ones. */
export function strangers(seen: Observed): boolean {
  const [a, b] = SITE_IDS.map((site) => factsOf(seen.sites[site]));
  return a !== undefined && b !== undefined && differ(a, b);
}

const blank = ({ ground }: SiteFacts) => ground.blank === "yes";

function kindOf({ ground, role }: SiteFacts): string {
  switch (ground.blank) {
    case "yes":
      return "an empty database cluster of its own, as a package makes it";
    case "no":
      return "a database cluster of its own, with tables or databases in it";
    case undefined:
      return `a database cluster of its own, which is ${role}, so nobody can say what is in it`;
  }
}

function wishNamesBlank(from: SiteId, to: SiteId): Refusal {
  return {
    code: "wish-names-empty-site",
    what: `activeSite: ${to}, but site ${to} holds an empty database cluster and site ${from} one with tables or databases in it`,
    hint: `pulumi config set activeSite ${from} and run pulumi up, which says how to put the empty one aside; then flip.`,
  };
}
