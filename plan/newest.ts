import type { Desired } from "./desired";
import type { Observed, SiteFacts, SiteObserved } from "./observed";
import { otherSite, SITE_IDS, type EpochRecord, type SiteId } from "./terms";

/** What the observations say by themselves, before any wish: who is writable, what is recorded, what was promoted. */

/** A site's facts, or nothing when it was not reached. */
export function factsOf(site: SiteObserved): SiteFacts | undefined {
  return site.reach === "up" ? site : undefined;
}

/**
 * Made ready for other addresses than the program has now: one of the two hosts was replaced or renumbered. Its pg_hba.conf,
 * guard and password file still name the old ones, so the new host could never join.
 */
export function readdressed(wish: Desired, seen: Observed, site: SiteId): boolean {
  const { host, port } = wish.sites[site].database;
  const peer = wish.sites[otherSite(site)].database;
  const known = factsOf(seen.sites[site])?.pair;
  return known !== undefined && known !== `${port},${host},${peer.host},${peer.port}`;
}

/** Names of the declared services that run there. */
export function runningAt(site: SiteObserved): readonly string[] {
  const services = Object.entries(factsOf(site)?.services ?? {});
  return services.filter(([, state]) => state === "running").map(([name]) => name);
}

/** Writable now, whether or not it is about to stop. */
export function writable(site: SiteObserved): boolean {
  return site.reach === "up" && (site.role === "primary" || site.role === "armed");
}

/** Seen to be unable to accept writes, now and after a start: stopped or in recovery with its signal placed, or empty. */
export function fenced(site: SiteObserved): boolean {
  if (site.reach !== "up") return false;
  return (
    site.role === "absent" || ((site.role === "down" || site.role === "standby") && site.signal)
  );
}

/** Can still give a token: it is writable, or it was stopped cleanly with its signal placed. */
export function canHandOver(site: SiteObserved): boolean {
  if (site.reach !== "up") return false;
  // One that its own guard has closed was cut off: the other site may lack what it wrote last, and fetches it in a failover.
  return (
    writable(site) ||
    (site.role === "down" && site.signal && !site.held && site.controlState === "shut_down")
  );
}

/**
 * Has followed another server since it was the primary, or may have. Danger: such a site must never be started as a
 * primary without a new timeline.
 */
export function replaced(site: SiteObserved): boolean {
  if (site.reach !== "up") return true;
  // Its own guard has closed it, and nobody has touched it since.
  if (site.held) return false;
  if (site.role === "standby") return site.upstream !== undefined;
  return site.role === "down" && /recovery/.test(site.controlState ?? "recovery");
}

/** The newest record among the witness and both sites; text when two of one epoch differ. */
export function newestRecord(
  seen: Observed,
): { readonly record: EpochRecord } | undefined | string {
  const records = SITE_IDS.map((site) => factsOf(seen.sites[site])?.record).filter(
    (record) => record !== undefined,
  );
  if (seen.dns.witness.status === "valid") records.push(seen.dns.witness.record);
  const newest = records.reduce<EpochRecord | undefined>(
    (best, record) => (best === undefined || record.epoch > best.epoch ? record : best),
    undefined,
  );
  if (newest === undefined) return undefined;
  const rival = records.find(
    (record) =>
      record.epoch === newest.epoch &&
      (record.from !== newest.from || record.to !== newest.to || record.kind !== newest.kind),
  );
  return rival === undefined
    ? { record: newest }
    : `epoch ${newest.epoch} is recorded twice: ${spell(newest)} and ${spell(rival)}`;
}

const spell = (record: EpochRecord) => `${record.kind} ${record.from} to ${record.to}`;

/** The number of the next transition: above all that is known of, so that no mark of an older one can be taken for its own. */
export function nextEpoch(seen: Observed, newest: EpochRecord | undefined): number {
  const marks = SITE_IDS.map((site) => factsOf(seen.sites[site])).flatMap((facts) =>
    facts === undefined ? [] : [facts.promoted, facts.settled],
  );
  return 1 + Math.max(newest?.epoch ?? 0, ...marks);
}

/** The highest epoch that any site recorded as settled. */
export function settled(seen: Observed): number {
  return Math.max(0, ...SITE_IDS.map((site) => factsOf(seen.sites[site])?.settled ?? 0));
}

/** Whether a site recorded the start of its promotion in this epoch: from then on the only way is forward. */
export function promotedIn(site: SiteObserved, epoch: number): boolean {
  return site.reach === "up" && epoch > 0 && site.promoted === epoch;
}
