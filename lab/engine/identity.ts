/** Who a resource is: the names it may have had, and the state that a goal makes of it. */
import { Alias, Goal } from "./goal";
import { State } from "./snapshot";
import { makeUrn, typeOf } from "./urn";
import { Props } from "./values";

/** The stack and project that are part of every name. */
export interface Home {
  readonly stack: string;
  readonly project: string;
}

/**
 * The other names a resource may have in the state: its own aliases, and the names it gets when its
 * parent had another name. `parentAliases` are the ones found for the parent.
 */
export function aliasUrns(
  goal: Goal,
  urn: string,
  parentAliases: readonly string[],
  home: Home,
): readonly string[] {
  const unchanged = { name: "", type: "", stack: "", project: "", parent: undefined };
  const parents = [goal.parent, ...parentAliases];
  const urns = [unchanged, ...goal.aliases].flatMap((alias) =>
    parents.map((parent) => aliasUrn(goal, alias, parent, home)),
  );
  return [...new Set(urns)].filter((one) => one !== urn);
}

function aliasUrn(goal: Goal, alias: Alias, parent: string, home: Home): string {
  if ("urn" in alias) return alias.urn;
  const stack = alias.stack === "" ? home.stack : alias.stack;
  const project = alias.project === "" ? home.project : alias.project;
  const type = alias.type === "" ? goal.type : alias.type;
  const name = alias.name === "" ? goal.name : alias.name;
  return makeUrn(stack, project, alias.parent ?? parent, type, name);
}

/** The state a goal asks for, still without id, outputs and provider; empty things are left out. */
export function targetOf(goal: Goal, urn: string, inputs: Props, old: State | undefined): State {
  const now = new Date().toISOString();
  return {
    urn,
    custom: goal.custom,
    type: typeOf(urn),
    ...filled({
      inputs,
      parent: goal.parent,
      protect: goal.protect,
      dependencies: goal.dependencies,
    }),
    ...filled({
      propertyDependencies: goal.propertyDependencies,
      additionalSecretOutputs: goal.additionalSecretOutputs,
    }),
    created: old?.created ?? now,
    modified: old?.modified ?? now,
    ...filled({ retainOnDelete: goal.retainOnDelete, deletedWith: goal.deletedWith }),
    ...filled({ ignoreChanges: goal.ignoreChanges, replaceOnChanges: goal.replaceOnChanges }),
    ...filled({ replacementTrigger: goal.replacementTrigger, importID: old?.importID }),
  };
}

function filled<T extends object>(values: T): { [K in keyof T]: NonNullable<T[K]> } {
  const kept = Object.entries(values).filter(([, value]) => !isEmpty(value));
  return Object.fromEntries(kept) as { [K in keyof T]: NonNullable<T[K]> };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === false || value === "") return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
