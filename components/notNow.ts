import * as pulumi from "@pulumi/pulumi";
import { hasTodo, type Plan } from "../plan/plan";
import type { StandbyPairArgs } from "./args";

/** What is done to the stack, not to the sites, waits until the sites are at rest. */
export function notNow(args: StandbyPairArgs, plan: Plan): Plan["refusals"] {
  if (!hasTodo(plan)) return [];
  return (["adopt", "release"] as const)
    .filter((option) => args[option] === true)
    .map((option) => ({
      code: `${option}-not-now`,
      what: `${option}: true is for a pair at rest, but ${plan.transition} to site ${plan.to} is due`,
      hint: `set activeSite to the site that serves and take ${option} away until a preview says that there is nothing to do.`,
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
