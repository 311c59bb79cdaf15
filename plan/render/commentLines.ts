import type { SiteSeen, ToldPlan } from "../dns/previewJson";
import { unreachable } from "../terms";
import { awayText } from "../unreadable";

/** Seconds one write takes at the vendor, and until its name servers answer it: allowances, not measurements. */
const APPLY_SECONDS = 0.5;
const PROPAGATION_SECONDS = 5;

/** Seconds from the first DNS write until resolvers that honour the TTL have moved. */
export function movedAfter(told: ToldPlan, writes: number): number {
  return Math.ceil(APPLY_SECONDS * writes) + PROPAGATION_SECONDS + told.dns.ttl;
}

/** Where the data is, how far behind the other copy, and what may be lost. */
export function databaseLine(told: ToldPlan): string {
  const { from, to, seen, transition } = told;
  const left = seen.sites[from];
  const here = seen.sites[to];
  if (left.reach !== "up" && here.reach !== "up") return "Database: not observed.";
  const sites = `site ${from} ${siteText(left)}, site ${to} ${siteText(here)}`;
  return `Database: ${sites}. ${lossText(told)}`;
  function lossText({ epoch }: ToldPlan): string {
    switch (transition) {
      case "switchover":
        return "Expected loss: none; the promotion needs the proof that every byte arrived.";
      case "failover":
        return `Expected loss: what site ${from} acknowledged after that; not known until it returns, and accepted for epoch ${epoch}.`;
      case "initial":
      case "resume":
      case "rejoin":
      case "none":
        return "Expected loss: none.";
      default:
        return unreachable(transition);
    }
  }
}

function siteText(site: SiteSeen): string {
  if (site.reach !== "up") return awayText(site);
  const at = site.lsn === undefined ? "" : ` at ${site.lsn}`;
  const lag = site.lagBytes === undefined ? "" : `, standby ${site.lagBytes} bytes behind`;
  return `${site.role ?? "unclear"}${at}${lag}`;
}

/** When clients move; apply time and TTL apart. */
export function timesLine(told: ToldPlan, writes: number): string {
  if (told.dns.intent !== "flip") {
    return `Times: no name moves; TTL ${told.dns.ttl} s.`;
  }
  const apply = Math.ceil(APPLY_SECONDS * writes);
  return `Times: writes ${apply} s + propagation ${PROPAGATION_SECONDS} s + TTL ${told.dns.ttl} s = ${movedAfter(told, writes)} s for resolvers that honour the TTL; clamping and stale-serving resolvers, connection pools and open connections move later.`;
}
