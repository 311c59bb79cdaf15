import { factsOf } from "../newest";
import type { Context } from "../phases/context";

/**
 * The site that is left cannot be asked, but its guard has fenced it after the stated bound: nothing except the other
 * site's lease keeps it, the other site grants none from the drain on, and a service manager answers for the guard.
 * Danger: only that guard's own account counts, given in the very reign that is to be ended; a wish proves nothing.
 */
export function leaseProves(context: Context): boolean {
  const { wish, decision } = context;
  const here = factsOf(context.here);
  const told = here?.peerGuard;
  if (here === undefined || told === undefined || decision.transition !== "failover") return false;
  return (
    wish.guard.isolation === "lease" &&
    told.isolation === "lease" &&
    told.supervised &&
    told.armed &&
    told.bound <= wish.guard.bound * 1000 &&
    // A site that was the primary since then heard it of an older reign.
    told.epoch > here.promoted
  );
}
