import { factsOf, readdressed } from "../newest";
import { unitsBroken } from "../supervision";
import { otherSite, SITE_IDS, type SiteId } from "../terms";
import {
  guardLine,
  part,
  reachedFacts,
  runStep,
  witnessLines,
  type Context,
  type Phase,
} from "./context";

/** The phase prepare: everything a flip leans on, at both sites. */

function prepareParts(context: Context, site: SiteId) {
  const dial = needsPrepare(context, site);
  // A better guard or setting is no reason to hold up a failover.
  const optional = ["failover", "resume"].includes(context.decision.transition);
  const more = optional ? { dial, optional } : { dial };
  return [
    part(
      context,
      site,
      "site/install",
      { ...witnessLines(context), ...guardLine(context.wish) },
      more,
    ),
    part(
      context,
      site,
      "postgres/prepare",
      { value: context.prepared[site] },
      { ...more, secret: true },
    ),
  ];
}

/** Reached, and what prepare leaves there differs. At rest only a site counts that has nothing, or other addresses. */
function needsPrepare(context: Context, site: SiteId): boolean {
  const facts = factsOf(context.seen.sites[site]);
  if (facts === undefined) return false;
  if (broken(context, site)) return true;
  const returned = context.decision.transition === "rejoin" || context.promoted;
  if (returned) {
    const bare = site === context.from && facts.prepared === undefined;
    return bare || readdressed(context.wish, context.seen, site);
  }
  return facts.prepared !== context.prepared[site];
}

/** What release takes away stays away. */
function broken({ wish, seen }: Context, site: SiteId): boolean {
  const facts = factsOf(seen.sites[site]);
  return facts !== undefined && !wish.release && unitsBroken(facts);
}

/** A site that came back without anything, or under another address: the verbs that make it a standby need what prepare leaves. */
function mustPrepare(context: Context): boolean {
  const { wish, seen } = context;
  return SITE_IDS.some(
    (site) =>
      needsPrepare(context, site) &&
      (factsOf(seen.sites[site])?.prepared === undefined || readdressed(wish, seen, site)),
  );
}

const mends = (context: Context): boolean => SITE_IDS.some((site) => broken(context, site));

export const prepare: Phase = {
  id: "prepare",
  steps: (context) => [
    {
      step: runStep({
        id: "prepare",
        phase: "prepare",
        title: "role, password, settings, slots and guard at both sites",
        why: "Everything a flip leans on is put in place, and compared by hash, while nothing depends on it.",
        undo: "nothing to take back: every setting suits either role",
        // The primary first: role and slot are made there and travel to the standby.
        parts: [
          ...prepareParts(context, firstSite(context)),
          ...prepareParts(context, otherSite(firstSite(context))),
        ],
      }),
      has: true,
      effect: reachedFacts(context).length > 0 && !missing(context),
      own: mustPrepare(context) || mends(context),
      mends: mends(context),
    },
  ],
};

/** The site that is the primary when this transition begins. Not the one that is now: the digest holds this order. */
function firstSite(context: Context): SiteId {
  return context.decision.transition === "switchover" ? context.from : context.to;
}

/** Some site that was reached lacks what prepare leaves, or has it for other addresses. */
export function missing(context: Context): boolean {
  return SITE_IDS.some((site) => {
    const facts = factsOf(context.seen.sites[site]);
    return (
      facts !== undefined &&
      (facts.prepared !== context.prepared[site] ||
        readdressed(context.wish, context.seen, site) ||
        broken(context, site))
    );
  });
}
