import * as pulumi from "@pulumi/pulumi";
import { hasTodo, type Plan } from "../plan/plan";
import { chain, type ChainArgs } from "./chain";

/** The plan as data in the runbook's inputs, so that a preview shows it when it changes. No secrets, no run id. */
function planText(plan: Plan): string {
  const { transition, epoch, from, to, digest } = plan;
  const steps = plan.steps
    .filter((step) => step.state !== "skipped")
    .map((step) => ({
      id: step.id,
      title: step.title,
      why: step.why,
      bound: step.bound,
      undo: step.undo,
    }));
  return JSON.stringify({ transition, epoch, from, to, digest, steps });
}

/** The list of steps as a component of its own, whose children are the steps. */
export class Runbook extends pulumi.ComponentResource {
  /** The step resources, in order. */
  public readonly steps: readonly pulumi.Resource[];

  constructor(name: string, args: ChainArgs, opts: pulumi.ComponentResourceOptions) {
    // With nothing to do the list of the last transition stays, so that a quiet update is quiet here too.
    const quiet = hasTodo(args.plan) ? {} : { ignoreChanges: ["plan"] };
    super(
      "standby:index:Runbook",
      `${name}-runbook`,
      { plan: planText(args.plan) },
      { ...opts, ...quiet },
    );
    this.steps = chain(name, args, this);
    this.registerOutputs({});
  }
}
