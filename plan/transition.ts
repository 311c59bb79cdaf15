import { ahead } from "./ahead";
import type { Desired } from "./desired";
import {
  canHandOver,
  newestRecord,
  nextEpoch,
  promotedIn,
  readdressed,
  replaced,
  settled,
  writable,
} from "./newest";
import type { Observed, SiteFacts, SiteObserved } from "./observed";
import { otherCluster, strangers } from "./otherCluster";
import {
  emptySite,
  mayRestart,
  noPrimary,
  noStandby,
  notReached,
  promotionBegun,
  recordsDiffer,
  twoWriters,
  unprovenResume,
  unreadableSites,
  wishNamesEmptySite,
  witnessUnknown,
} from "./refused";
import type { Refusal } from "./step";
import {
  otherSite,
  SITE_IDS,
  type EpochRecord,
  type Kind,
  type SiteId,
  type Transition,
} from "./terms";

/**
 * Which transition this is. Invariants:
 * - the newest epoch record decides until its settle is recorded; the wish can only open a newer one;
 * - a site that was not reached is unknown: it is never taken for down, and never for a standby;
 * - a site is never made writable beside one that is: the only writer is handed over from, or confirmed;
 * - two writable sites are never resolved here: a person decides.
 */
export interface Decision {
  readonly transition: Transition;
  readonly epoch: number;
  readonly from: SiteId;
  readonly to: SiteId;
  /** What is or will be recorded of this epoch; the same as the transition unless that has none of its own. */
  readonly kind: Kind;
  /** True: this epoch is not written down anywhere yet. */
  readonly fresh: boolean;
  readonly refusals: readonly Refusal[];
}

export function transition(wish: Desired, seen: Observed): Decision {
  const newest = newestRecord(seen);
  if (wish.observe === "none") return unobserved(wish, newest);
  // Two databases that have nothing to do with each other are not two writers of one.
  const two = newest === undefined && strangers(seen) ? [] : twoWriters(seen);
  if (typeof newest === "string") return undecided(wish, [recordsDiffer(newest), ...two]);
  const decided =
    newest === undefined ? firstTime(wish, seen) : next(wish, seen, newest.record, settled(seen));
  if (two.length > 0) return { ...decided, refusals: two };
  return { ...decided, refusals: [...unreadableSites(wish, seen, decided), ...decided.refusals] };
}

/** Sites that were not looked at on purpose: the witness alone says what a flag would do. Shown in previews, never run. */
function unobserved(wish: Desired, newest: ReturnType<typeof newestRecord>): Decision {
  const to = wish.activeSite;
  const from = otherSite(to);
  if (typeof newest === "string") return undecided(wish, [recordsDiffer(newest)]);
  if (newest === undefined) {
    return {
      transition: "initial",
      epoch: 1,
      from,
      to,
      kind: "initial",
      fresh: true,
      refusals: [],
    };
  }
  const { record } = newest;
  if (record.to === to) return { ...record, transition: "none", fresh: false, refusals: [] };
  const epoch = record.epoch + 1;
  return {
    transition: "switchover",
    epoch,
    from,
    to,
    kind: "switchover",
    fresh: true,
    refusals: [],
  };
}

function undecided(wish: Desired, refusals: readonly Refusal[]): Decision {
  const to = wish.activeSite;
  const from = otherSite(to);
  return { transition: "none", epoch: 0, from, to, kind: "initial", fresh: false, refusals };
}

function firstTime(wish: Desired, seen: Observed): Decision {
  const to = wish.activeSite;
  const from = otherSite(to);
  const epoch = nextEpoch(seen, undefined);
  const base = { transition: "initial", epoch, from, to, kind: "initial", fresh: true } as const;
  const here = seen.sites[to];
  const { witness } = seen.dns;
  if (here.reach !== "up") {
    return { ...base, refusals: notReached(to, here, "It is the site to start from.") };
  }
  const other = otherCluster(wish, seen);
  if (other.length > 0) return { ...base, refusals: [...other, ...noPrimary(wish, seen, to)] };
  if (here.role !== "primary" && serves(seen.sites[from])) {
    return { ...base, refusals: [wishNamesEmptySite(seen, from, to)] };
  }
  const unknown = witness.status === "unknown" ? [witnessUnknown(witness.why)] : [];
  return { ...base, refusals: [...noPrimary(wish, seen, to), ...unknown] };
}

/** Accepts writes and holds something. An empty cluster, as a package makes it, is no reason to turn the wish round. */
const serves = (site: SiteObserved): boolean =>
  writable(site) && !(site.reach === "up" && site.ground.blank === "yes");

function next(wish: Desired, seen: Observed, newest: EpochRecord, done: number): Decision {
  const open = done < newest.epoch;
  return wish.activeSite === newest.to
    ? carryOn(wish, seen, newest, open)
    : turn(wish, seen, newest, open);
}

/** The wish agrees with the newest record: finish it, keep it, or find that its kind no longer fits. */
function carryOn(wish: Desired, seen: Observed, newest: EpochRecord, open: boolean): Decision {
  const { epoch, from, to, kind } = newest;
  const here = seen.sites[to];
  const left = seen.sites[from];
  const same = (what: Transition, refusals: readonly Refusal[] = []): Decision => ({
    ...{ transition: what, epoch, from, to, kind, fresh: false, refusals },
  });
  if (here.reach !== "up") return same(kind, notReached(to, here));
  if (!open && here.role === "primary") {
    const moved = SITE_IDS.some((site) => readdressed(wish, seen, site));
    const whole =
      left.reach !== "up" || (atRest(left, epoch) && !moved && ahead(seen) === undefined);
    return same(whole ? "none" : "rejoin");
  }
  const promoted = promotedIn(here, epoch);
  // Danger: with the promotion recorded no fence runs again, so the other site must not be writable by now.
  if (promoted && !writable(left)) {
    const stops = writable(here) ? [] : mayRestart(wish, seen, newest, open);
    // Nobody can say that its epoch is still the newest, and an acceptance of that epoch may be an old one: a new one asks.
    if (!open && stops.some(({ code }) => code === "cannot-confirm")) {
      const anew = { epoch: nextEpoch(seen, newest), from, to, kind: "resume" } as const;
      return { ...anew, transition: "resume", fresh: true, refusals: unfit(wish, seen, anew) };
    }
    return same(kind, stops);
  }
  const fitting = fits(seen, newest, open);
  if (fitting === kind && open && !promoted) return same(kind, unfit(wish, seen, newest));
  const anew = { epoch: nextEpoch(seen, newest), from, to, kind: fitting };
  return { ...anew, transition: fitting, fresh: true, refusals: unfit(wish, seen, anew) };
}

/** The other site follows and has settled this epoch. */
function atRest(other: SiteFacts, epoch: number): boolean {
  return other.role === "standby" && other.streaming && other.settled >= epoch;
}

/** The kind that this direction needs now, when the target is not known to be promoted; the recorded one if it fits. */
function fits(seen: Observed, { from, to, kind }: EpochRecord, open: boolean): Kind {
  const here = seen.sites[to];
  const left = seen.sites[from];
  if (ahead(seen)?.site === to) return "failover";
  if (kind === "initial" && (writable(here) || (open && !writable(left)))) return "initial";
  if (writable(left)) return "switchover";
  // The only writer, though no promotion of this epoch is recorded here (by hand, or the record was lost): confirmed.
  if (writable(here)) return "resume";
  if (open && (kind === "resume" || kind === "failover")) return kind;
  return canHandOver(left) ? "switchover" : "failover";
}

/** What stops a transition of this kind, as far as the two roles tell. */
function unfit(wish: Desired, seen: Observed, record: EpochRecord): readonly Refusal[] {
  const { epoch, from, to, kind } = record;
  switch (kind) {
    case "initial":
      return noPrimary(wish, seen, to);
    case "switchover":
      return emptySite(seen, from, to);
    case "failover":
      return noStandby(seen, from, to);
    case "resume":
      return unprovenResume(wish, seen, epoch, from);
  }
}

/** The wish names the other site: a newer epoch. */
function turn(wish: Desired, seen: Observed, newest: EpochRecord, open: boolean): Decision {
  const to = wish.activeSite;
  const from = otherSite(to);
  const epoch = nextEpoch(seen, newest);
  const here = seen.sites[to];
  const turned = (kind: Kind, refusals?: readonly Refusal[]): Decision => {
    const record = { epoch, from, to, kind };
    const stops = refusals ?? unfit(wish, seen, record);
    return { ...record, transition: kind, fresh: true, refusals: stops };
  };
  if (here.reach !== "up") {
    return turned("switchover", notReached(to, here, "It is the site that shall serve."));
  }
  if (open && mustFinish(seen, newest)) {
    return turned("resume", [promotionBegun(newest.epoch, from, to)]);
  }
  return turned(turnedKind(seen, newest, open));
}

/** Its promotion is recorded and not finished, and the site that was left is no standby that could take over from it. */
function mustFinish(seen: Observed, { epoch, from, to }: EpochRecord): boolean {
  const promoting = seen.sites[to];
  const standby = seen.sites[from];
  if (!promotedIn(promoting, epoch) || writable(promoting) || promoting.reach !== "up")
    return false;
  // Two standbys: asking for the promotion again is the way that loses nothing.
  return promoting.role === "standby" || standby.reach !== "up" || standby.role !== "standby";
}

function turnedKind(seen: Observed, newest: EpochRecord, open: boolean): Kind {
  const here = seen.sites[newest.from];
  const left = seen.sites[newest.to];
  // What it holds beyond its primary no switchover could prove.
  if (ahead(seen)?.site === newest.from) return "failover";
  if (writable(left)) return "switchover";
  // Set back before the other site was promoted: nothing was handed over, so this site goes on. Only a site that
  // was the primary may resume: an open resume that is turned round hands over properly instead.
  const wasLeft = open && (newest.kind === "switchover" || newest.kind === "failover");
  const safe = left.reach === "up" ? !promotedIn(left, newest.epoch) : !replaced(here);
  if (wasLeft && safe) return "resume";
  if (writable(here)) return "resume";
  return canHandOver(left) ? "switchover" : "failover";
}
