/**
 * Deletes: in waves, users before what they use. They begin only when the program has said that it
 * is finished; a program that fell silent says so too, which is why a hang deletes everything.
 */
import { Act } from "./kinds/kind";
import { kindOf } from "./kinds";
import { Executor } from "./executor";
import { State, needsOf } from "./snapshot";
import { isProviderType } from "./urn";
import { stripProps } from "./values";

export interface DeleteArgs {
  readonly executor: Executor;
  readonly dryRun: boolean;
  readonly actFor: (state: State) => Act;
}

/** @throws Stopped when one of them fails; the other ones of its wave still end. */
export async function deleteAll(states: readonly State[], args: DeleteArgs): Promise<void> {
  const doomed = new Set(states.map((state) => state.urn));
  let rest = [...states];
  while (rest.length > 0) {
    const used = new Set(rest.flatMap(needsOf));
    const wave = rest.filter((state) => !isUsedByAnother(state, used, rest));
    if (wave.length === 0) throw new Error("the state has a cycle of dependencies");
    const ended = await Promise.allSettled(wave.map((state) => deleteOne(state, doomed, args)));
    const failed = ended.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    rest = rest.filter((state) => !wave.includes(state));
  }
}

// A replaced resource has the name of its successor, so what uses the successor is no user of it.
function isUsedByAnother(state: State, used: ReadonlySet<string>, rest: readonly State[]): boolean {
  return (
    used.has(state.urn) && rest.some((one) => one !== state && needsOf(one).includes(state.urn))
  );
}

async function deleteOne(
  state: State,
  doomed: ReadonlySet<string>,
  args: DeleteArgs,
): Promise<void> {
  const op = state.delete === true ? "delete-replaced" : "delete";
  const note = state.retainOnDelete === true ? { note: "[retain]" } : {};
  await args.executor.run({
    told: { op, urn: state.urn, before: state, ...note },
    pending: { state, type: "deleting" },
    before: state,
    act: async () => {
      // Of a replaced resource, the replacement has asked already.
      if (state.protect === true && state.delete !== true)
        throw new Error(protectedText(state.urn));
      if (!args.dryRun && needsAct(state, doomed)) await act(state, args.actFor(state));
      return undefined;
    },
  });
}

function needsAct(state: State, doomed: ReadonlySet<string>): boolean {
  if (!state.custom || isProviderType(state.type)) return false;
  if (state.retainOnDelete === true || state.external === true) return false;
  return !(typeof state.deletedWith === "string" && doomed.has(state.deletedWith));
}

async function act(state: State, how: Act): Promise<void> {
  const live = {
    id: state.id ?? "",
    inputs: stripProps(state.inputs ?? {}),
    outputs: stripProps(state.outputs ?? {}),
  };
  await kindOf(state.type).delete(live, how);
}

/** The real engine's words. */
export function protectedText(urn: string): string {
  return (
    `resource "${urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, ` +
    "either remove the `protect` flag from the resource in your Pulumi program and run " +
    `\`pulumi up\`, or use the command:\n\`pulumi state unprotect '${urn}'\``
  );
}
