/** The resource option `import`: a live resource enters the state instead of being created. */
import { Goal } from "./goal";
import { State } from "./snapshot";
import type { Case, StepsArgs } from "./steps";
import { Props, markSecrets, stripProps } from "./values";

/** Whether the option has anything to do: it has not, once the resource is in the state. */
export function isImport(goal: Goal, old: State | undefined): boolean {
  if (goal.importId === "") return false;
  return old === undefined || (old.id !== goal.importId && old.importID !== goal.importId);
}

export async function importOne(one: Case, args: StepsArgs): Promise<State> {
  const { goal, kind, target, act } = one;
  const made = await args.executor.run({
    told: { op: "import", urn: target.urn, before: one.old, after: target },
    pending: { state: target, type: "importing" },
    before: one.old,
    act: async () => {
      const inputs = stripProps(target.inputs ?? {});
      const live = await kind.read?.(goal.importId, inputs, act);
      if (live === undefined) throw new Error(`resource '${goal.importId}' does not exist`);
      const { reasons } = kind.diff(live.inputs, inputs);
      if (reasons.length > 0) refuseImport(target.urn, reasons, args);
      const outputs = marked(live.outputs, target.inputs ?? {}, one);
      return { ...target, id: live.id, outputs, importID: goal.importId };
    },
  });
  return made as State;
}

function refuseImport(urn: string, reasons: readonly string[], args: StepsArgs): void {
  const message = `inputs to import do not match the existing resource (${reasons.join(", ")})`;
  if (!args.dryRun) throw new Error(message);
  args.report.diagnostic("warning", `${message}; importing this resource will fail`, urn);
}

/** Outputs as the state has them: what repeats a secret input, or is named so, is secret. */
export function marked(outputs: Props, inputs: Props, { kind, goal }: Case): Props {
  return markSecrets(outputs, inputs, [...kind.secrets, ...goal.additionalSecretOutputs]);
}
