/** The acts of a custom resource: create, update, replace, import, or nothing at all. */
import { deleteAll } from "./deletes";
import { Executor } from "./executor";
import { Goal } from "./goal";
import { importOne, isImport, marked } from "./importing";
import { matches } from "./ignore";
import { Act, Change, Kind, Live } from "./kinds/kind";
import { Report } from "./report";
import { Snapshot, State } from "./snapshot";
import {
  Props,
  UNKNOWN,
  differences,
  equal,
  markSecrets,
  rootOf,
  secret,
  strip,
  stripProps,
} from "./values";

/** One custom resource on its way. `target` has no id and no outputs yet. */
export interface Case {
  readonly goal: Goal;
  readonly kind: Kind;
  readonly target: State;
  readonly old: State | undefined;
  readonly act: Act;
}

export interface StepsArgs {
  readonly executor: Executor;
  readonly snapshot: Snapshot;
  readonly report: Report;
  readonly dryRun: boolean;
  /** Takes note of a replaced resource, which is deleted at the very end. */
  readonly condemn: (state: State) => void;
}

/** Decides which act it is, and does it. Returns what the program gets to see. */
export async function advance(one: Case, args: StepsArgs): Promise<State> {
  const { goal, old, target } = one;
  if (isImport(goal, old)) return importOne(one, args);
  if (old === undefined) return createOne(one, args, "create");
  const change = changeOf(one, old);
  if (change.reasons.length === 0) return keepOne(one, old, args);
  if (change.replace.length === 0) return updateOne(one, old, change, args);
  // What counts is the wish of now: unprotecting and replacing in one update is allowed.
  if (target.protect === true) throw new Error(protectedFromReplace(target.urn));
  return replaceOne(one, old, change, args);
}

function changeOf(one: Case, old: State): Change {
  const { goal, kind, target } = one;
  const [before, after] = [old.inputs ?? {}, target.inputs ?? {}];
  const change = kind.secretnessCounts
    ? kind.diff(before, after)
    : kind.diff(stripProps(before), stripProps(after));
  const forced = [...differences(before, after).keys()]
    .filter((path) => matches(path, goal.replaceOnChanges))
    .map(rootOf);
  const triggered =
    old.replacementTrigger !== undefined && !equal(old.replacementTrigger, goal.replacementTrigger)
      ? ["replacementTrigger"]
      : [];
  const replace = [...new Set([...change.replace, ...forced, ...triggered])].sort();
  const reasons = [...new Set([...change.reasons, ...forced, ...triggered])].sort();
  return { ...change, reasons, replace };
}

async function keepOne(one: Case, old: State, args: StepsArgs): Promise<State> {
  const { target } = one;
  const kept = {
    ...target,
    ...(old.id === undefined ? {} : { id: old.id }),
    outputs: old.outputs ?? {},
    ...(old.modified === undefined ? {} : { modified: old.modified }),
  };
  const flipped = (old.protect === true) !== (target.protect === true);
  const told = { op: "same", urn: target.urn, before: old, after: target } as const;
  const note = flipped ? { note: "[diff: ~protect]" } : {};
  await args.executor.keep({ ...told, ...note }, old, kept, !equal(old, kept));
  return kept;
}

async function createOne(
  one: Case,
  args: StepsArgs,
  op: "create" | "create-replacement",
): Promise<State> {
  const { kind, target, act } = one;
  const made = await args.executor.run({
    told: { op, urn: target.urn, before: one.old, after: target },
    pending: { state: target, type: "creating" },
    before: undefined,
    act: async () => {
      const inputs = target.inputs ?? {};
      if (args.dryRun) return planned(one, undefined);
      const { id, outputs } = await kind.create(stripProps(inputs), act);
      return { ...target, id, outputs: marked(outputs, inputs, one) };
    },
  });
  return made as State;
}

async function updateOne(one: Case, old: State, change: Change, args: StepsArgs): Promise<State> {
  const { kind, target, act } = one;
  const made = await args.executor.run({
    told: {
      op: "update",
      urn: target.urn,
      before: old,
      after: target,
      reasons: change.reasons,
      ...(change.detailed === undefined ? {} : { detailed: change.detailed }),
    },
    pending: { state: target, type: "updating" },
    before: old,
    act: async () => {
      const inputs = target.inputs ?? {};
      if (args.dryRun) return planned(one, old);
      const outputs = await kind.update(liveOf(old), stripProps(inputs), act);
      const now = new Date().toISOString();
      return {
        ...target,
        id: old.id ?? "",
        outputs: marked(outputs, inputs, one),
        modified: now,
      };
    },
  });
  return made as State;
}

// The successor is made first; the old one goes at the end of the run, when nobody uses it. With
// deleteBeforeReplace it goes first.
async function replaceOne(one: Case, old: State, change: Change, args: StepsArgs): Promise<State> {
  const doomed = { ...old, delete: true };
  args.snapshot.substitute(old, doomed);
  const first = one.goal.deleteBeforeReplace;
  if (first) await deleteAll([doomed], { ...args, actFor: () => one.act });
  else args.condemn(doomed);
  const now = new Date().toISOString();
  const fresh = { ...one, target: { ...one.target, created: now, modified: now } };
  const made = await createOne(fresh, args, "create-replacement");
  const told = { op: "replace", urn: made.urn, before: doomed, after: withoutId(made) } as const;
  const end = args.report.begin({
    ...told,
    reasons: change.reasons,
    replaceReasons: change.replace,
  });
  end(true);
  return made;
}

// What a preview can know. What is left out, the program sees as unknown.
function planned(one: Case, old: State | undefined): State {
  const { goal, kind, target } = one;
  const inputs = target.inputs ?? {};
  const promised = kind.plan(strip(inputs) as Props, old === undefined ? undefined : liveOf(old));
  const hidden = [...kind.secrets, ...goal.additionalSecretOutputs];
  const unknown = Object.fromEntries(hidden.map((key) => [key, secret(UNKNOWN)]));
  const outputs = { ...unknown, ...markSecrets(promised, inputs, hidden) };
  return { ...target, ...(old?.id === undefined ? {} : { id: old.id }), outputs };
}

export function liveOf(state: State): Live {
  const [inputs, outputs] = [stripProps(state.inputs ?? {}), stripProps(state.outputs ?? {})];
  return { id: state.id ?? "", inputs, outputs };
}

function withoutId(state: State): State {
  const { id: _made, ...rest } = state;
  return rest;
}

function protectedFromReplace(urn: string): string {
  return (
    `unable to replace resource "${urn}"\nas it is currently marked for protection. To unprotect ` +
    "the resource, remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`"
  );
}
