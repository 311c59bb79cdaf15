/** Reads every resource that can be read and takes over what is live; what is gone leaves the state. */
import { Executor } from "./executor";
import { kindOf } from "./kinds";
import { Act } from "./kinds/kind";
import { configInState } from "./providers";
import { Report } from "./report";
import { Snapshot, State } from "./snapshot";
import { liveOf } from "./steps";
import { isProviderType, nameOf } from "./urn";
import { Props, differences, equal, markSecrets, rootOf, strip } from "./values";

export interface RefreshArgs {
  readonly executor: Executor;
  readonly report: Report;
  readonly snapshot: Snapshot;
  readonly env: Act["env"];
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** In the order of the state, one after the other: a refresh has no hurry, and order is truth. */
export async function refreshAll(args: RefreshArgs): Promise<void> {
  for (const state of args.snapshot.old) {
    if (!state.custom || isProviderType(state.type) || kindOf(state.type).read === undefined) {
      await args.executor.keep(
        { op: "same", urn: state.urn, before: state, after: state },
        state,
        state,
        false,
      );
    } else await refreshOne(state, args);
  }
}

async function refreshOne(state: State, args: RefreshArgs): Promise<void> {
  const found = await readLive(state, args);
  if (found === undefined) {
    args.report.diagnostic("warning", "the resource is gone; it leaves the state", state.urn);
    const told = { op: "delete", urn: state.urn, before: state } as const;
    await args.executor.run({
      told,
      pending: undefined,
      before: state,
      act: async () => undefined,
    });
    return;
  }
  const changed = !equal(strip(state.outputs ?? {}), strip(found.outputs ?? {}));
  const reasons = [...differences(state.outputs ?? {}, found.outputs ?? {}).keys()].map(rootOf);
  const told = {
    op: changed ? "update" : "same",
    urn: state.urn,
    before: state,
    after: found,
  } as const;
  const why = changed ? { reasons: [...new Set(reasons)].sort() } : {};
  await args.executor.keep({ ...told, ...why }, state, changed ? found : state, changed);
}

async function readLive(state: State, args: RefreshArgs): Promise<State | undefined> {
  const { env, cwd, signal, report } = args;
  const provider = configInState(state.provider, args.snapshot.old);
  const log = (message: string): void => report.ephemeral(message, state.urn);
  const known = liveOf(state);
  const act = { name: nameOf(state.urn), env, cwd, signal, provider, log };
  const live = await kindOf(state.type).read?.(
    known.id,
    { ...known.outputs, ...known.inputs },
    act,
  );
  if (live === undefined) return undefined;
  const inputs = onlyKnown(live.inputs, known.inputs);
  return {
    ...state,
    inputs: markSecrets(inputs, state.inputs ?? {}, []),
    outputs: markSecrets({ ...known.outputs, ...live.outputs }, state.inputs ?? {}, []),
    modified: new Date().toISOString(),
  };
}

// A refresh corrects the inputs it knows and adds none: what the API fills in is no input.
function onlyKnown(live: Props, known: Props): Props {
  return Object.fromEntries(Object.entries(live).filter(([key]) => key in known));
}
