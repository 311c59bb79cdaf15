import { factsOf } from "../newest";
import { rejoinOutlook, type Outlook } from "../rejoinWay";
import { otherSite, type SiteId } from "../terms";
import type { Part } from "../step";
import { epochLines, part, reached, type Context } from "./context";

/** A copy may take its time; what waits for a server's answer may not. */
const COPY_SECONDS = 24 * 3600;

/**
 * What makes a standby of a returned site, in the phases join (the site is about to take over again) and rejoin.
 * Invariant: the export of what only that site wrote stands in front of whatever may overwrite it, and the verb behind it
 * asks for the mark of that export. It does nothing where nothing diverged.
 */
export function rejoinParts(
  context: Context,
  site: SiteId,
  phase: "join" | "rejoin",
): { readonly parts: readonly Part[]; readonly outlook: Outlook } {
  const outlook = rejoinOutlook(context.seen.sites[site], primaryBeside(context, site));
  const { wish, decision } = context;
  const empty = phase === "rejoin" && outlook.way === "seed";
  const seconds = 4 * wish.limits.stepSeconds;
  const epoch = String(decision.epoch);
  const discards = wish.discardDelta === decision.epoch;
  const lines = {
    // Before the witness no site is told the epoch: then this is only the name of the export.
    delta_epoch: epoch,
    ...(phase === "rejoin" ? epochLines(context) : {}),
  };
  return {
    outlook,
    parts: [
      part(
        context,
        site,
        "postgres/delta",
        { value: "export", ...lines },
        {
          bound: 10 * wish.limits.stepSeconds,
          dial: reached(context.seen.sites[site]) && !empty && !isWhole(context, phase),
          // Given up by a person: an export that cannot be made holds up nothing.
          ...(discards ? { optional: true } : {}),
        },
      ),
      part(
        context,
        site,
        empty ? "postgres/seed" : "postgres/rejoin",
        {
          value: phase,
          step_bound: String(seconds),
          ...(discards ? { discard_delta: epoch } : {}),
          ...lines,
        },
        { bound: seconds + copySeconds(outlook), secret: empty },
      ),
    ],
  };
}

/** The site that a hand-over has just left is proven to be whole at the other one. */
function isWhole({ decision }: Context, phase: "join" | "rejoin"): boolean {
  const { transition } = decision;
  return phase === "rejoin" && (transition === "switchover" || transition === "initial");
}

function primaryBeside(context: Context, site: SiteId) {
  return factsOf(context.seen.sites[otherSite(site)]);
}

/** Time for a copy, also where none is expected: the primary may have dropped the WAL that a follower needs. */
function copySeconds({ way, copyBytes }: Outlook): number {
  if (way !== "follow" || copyBytes === undefined) return COPY_SECONDS;
  return Math.min(COPY_SECONDS, 60 + Math.ceil(copyBytes / SLOWEST_COPY));
}

/** Bytes a second; a site that is further away than this is no standby. */
const SLOWEST_COPY = 1_000_000;
