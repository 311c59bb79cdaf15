/** Resources that a program reads and does not own, such as `Zone.get(...)`. */
import { Executor } from "./executor";
import { ReadGoal } from "./goal";
import { kindOf } from "./kinds";
import { Act, Live } from "./kinds/kind";
import { State } from "./snapshot";
import { markSecrets, stripProps } from "./values";

/** One such resource. */
export interface Reading {
  readonly goal: ReadGoal;
  readonly urn: string;
  /** Reference of its provider. */
  readonly provider: string;
  readonly old: State | undefined;
  readonly act: Act;
}

/** Reads it, in a preview too, and keeps what it found in the state as external. */
export async function readOne(one: Reading, executor: Executor): Promise<State> {
  const { goal, urn, old, act } = one;
  const found = await executor.run({
    told: { op: "read", urn, before: old },
    pending: undefined,
    before: old,
    act: async () => {
      const live = await kindOf(goal.type).read?.(goal.id, stripProps(goal.known), act);
      if (live === undefined) throw new Error(`resource '${goal.id}' does not exist`);
      return stateOf(one, live);
    },
  });
  return found as State;
}

function stateOf({ goal, urn, provider }: Reading, live: Live): State {
  return {
    urn,
    custom: true,
    id: live.id,
    type: goal.type,
    inputs: goal.known,
    outputs: markSecrets(live.outputs, goal.known, goal.additionalSecretOutputs),
    ...(goal.parent === "" ? {} : { parent: goal.parent }),
    external: true,
    ...(goal.dependencies.length === 0 ? {} : { dependencies: goal.dependencies }),
    provider,
  };
}
