/** The words of docs/glossary.md as types. A new noun needs a glossary line first. */

/** A site: one provider's place. There are always exactly two. */
export const SITE_IDS = ["a", "b"] as const;
export type SiteId = (typeof SITE_IDS)[number];

/** The site that is not `site`. */
export function otherSite(site: SiteId): SiteId {
  return site === "a" ? "b" : "a";
}

/** Kinds that are written down: in the witness and in each site's own record. */
export const KINDS = ["initial", "switchover", "failover", "resume"] as const;
export type Kind = (typeof KINDS)[number];

/** What an update is about to do. `none` and `rejoin` have no epoch of their own. */
export type Transition = Kind | "none" | "rejoin";

/** A newest-wins note of one transition, kept by the witness and by both sites. */
export interface EpochRecord {
  readonly epoch: number;
  readonly from: SiteId;
  readonly to: SiteId;
  readonly kind: Kind;
}

/** What a site's database is observed to be. `armed` = still writable, standby.signal already placed. */
export const ROLES = [
  "absent",
  "down",
  "starting",
  "primary",
  "armed",
  "standby",
  "unclear",
] as const;
export type Role = (typeof ROLES)[number];

/** The one constant order of every transition. */
export const PHASES = [
  "preflight",
  "prepare",
  "join",
  "witness",
  "drain",
  "fence",
  "verify",
  "promote",
  "serve",
  "announce",
  "outside",
  "rejoin",
  "settle",
] as const;
export type PhaseId = (typeof PHASES)[number];

/** `todo` acts; `done` only checks; `skipped` is no part of this transition; `waiting` needs a person or a site that is away. */
export type StepState = "todo" | "done" | "skipped" | "waiting";

/** Exit codes of verbs, and so of steps. 255 is ssh's own: the site was not reached, which is unknown and never down. */
export const EXIT = { holds: 0, later: 75, refused: 77, unreached: 255 } as const;

/** Makes a switch exhaustive: a new member of the union fails to compile here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
