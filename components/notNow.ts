import * as pulumi from "@pulumi/pulumi";
import { hasTodo, type Plan } from "../plan/plan";
import type { StandbyPairArgs } from "./args";

/** Without a state no update runs before the adoption, so what is due must be done without one. */
const BY_HAND = {
  adopt:
    " If the state is lost: take adopt away, pulumi preview --json > preview.json, standby runbook --preview preview.json --out runbook, run its files in order, then adopt.",
  release: "",
};

/** What is done to the stack, not to the sites, waits until the sites are at rest. */
export function notNow(args: StandbyPairArgs, plan: Plan): Plan["refusals"] {
  if (!hasTodo(plan)) return [];
  return (["adopt", "release"] as const)
    .filter((option) => args[option] === true)
    .map((option) => ({
      code: `${option}-not-now`,
      what: `${option}: true is for a pair at rest, but ${plan.transition} to site ${plan.to} is due`,
      hint: `set activeSite to the site that serves and take ${option} away until a preview says that there is nothing to do.${BY_HAND[option]}`,
    }));
}

/** Danger: an unobserved pair may be shown, never changed. */
export function notObserved(): Plan["refusals"] {
  if (pulumi.runtime.isDryRun()) return [];
  return [
    {
      code: "not-observed",
      what: 'observe: "none" is for previews only; this is an update',
      hint: 'run it where the sites can be reached, with observe "ssh".',
    },
  ];
}
