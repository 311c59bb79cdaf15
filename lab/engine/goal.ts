/** What a program asks for when it registers a resource, as plain data. */
import { Props } from "./values";

/** Another name a resource may have had. */
export type Alias =
  | { readonly urn: string }
  | {
      readonly name: string;
      readonly type: string;
      readonly stack: string;
      readonly project: string;
      /** undefined = the parent of now; "" = no parent. */
      readonly parent: string | undefined;
    };

/** One RegisterResource request. */
export interface Goal {
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  readonly parent: string;
  readonly inputs: Props;
  readonly provider: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly aliases: readonly Alias[];
  readonly ignoreChanges: readonly string[];
  readonly replaceOnChanges: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
  readonly deleteBeforeReplace: boolean;
  readonly importId: string;
  readonly deletedWith: string;
  readonly protect: boolean | undefined;
  readonly retainOnDelete: boolean | undefined;
  readonly replacementTrigger: unknown;
}

/** One ReadResource request (`Zone.get(...)`). */
export interface ReadGoal {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly parent: string;
  readonly known: Props;
  readonly provider: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
}

/** What a child has from its parent where it says nothing itself. */
export function inherit(goal: Goal, parent: Goal | undefined): Goal {
  if (parent === undefined) return goal;
  return {
    ...goal,
    protect: goal.protect ?? parent.protect,
    retainOnDelete: goal.retainOnDelete ?? parent.retainOnDelete,
    deletedWith: goal.deletedWith === "" ? parent.deletedWith : goal.deletedWith,
  };
}
