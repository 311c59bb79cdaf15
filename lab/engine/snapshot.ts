/**
 * The state of a stack while a run changes it, merged as the real engine merges it: first what this
 * run has registered, in the order in which it was finished, then the old resources that were not
 * touched yet. So parents, providers and dependencies always stand before their users.
 */
import { Checkpoint, PendingOperation, ResourceState } from "./engine";
import { fromState, toState } from "./values";

/** A resource inside the engine: secrets in the protocol's form. */
export type State = ResourceState;
/** What is being done to a resource that is in `pending_operations`. */
export type Pending = PendingOperation["type"];

export class Snapshot {
  readonly old: readonly State[];
  readonly #done = new Set<State>();
  readonly #fresh: State[] = [];
  readonly #pending = new Map<State, Pending>();
  readonly #written = new WeakMap<State, ResourceState>();
  #leftover: readonly PendingOperation[];

  constructor(checkpoint: Checkpoint | undefined) {
    this.old = (checkpoint?.deployment.resources ?? []).map(readState);
    // An interrupted update or delete is simply done again; an interrupted create may have left
    // something behind, so it is told on every run until a refresh.
    const pending = checkpoint?.deployment.pending_operations ?? [];
    this.#leftover = pending
      .filter((operation) => operation.type === "creating")
      .map((operation) => ({ ...operation, resource: readState(operation.resource) }));
  }

  get leftover(): readonly PendingOperation[] {
    return this.#leftover;
  }

  forgetLeftover(): void {
    this.#leftover = [];
  }

  begin(state: State, type: Pending): void {
    this.#pending.set(state, type);
  }

  /** Ends a pending operation: `before` leaves the state, `after` enters it; both may be missing. */
  end(pending: State, before: State | undefined, after: State | undefined): void {
    this.#pending.delete(pending);
    if (before !== undefined) this.#drop(before);
    if (after !== undefined) this.#fresh.push(after);
  }

  /** Puts a new version in the place of one of this run. */
  replace(before: State, after: State): void {
    const index = this.#fresh.indexOf(before);
    if (index >= 0) this.#fresh[index] = after;
  }

  /** An old resource stays, but as another object (marked for deletion, say). */
  substitute(before: State, after: State): void {
    const index = this.old.indexOf(before);
    if (index >= 0) (this.old as State[])[index] = after;
  }

  /** A resource got another name: what still refers to the old one follows. */
  rename(from: string, to: string): void {
    const list = this.old as State[];
    list.forEach((state, i) => {
      if (needsOf(state).includes(from)) list[i] = withReference(state, from, to);
    });
  }

  #drop(state: State): void {
    const index = this.#fresh.indexOf(state);
    if (index >= 0) this.#fresh.splice(index, 1);
    else this.#done.add(state);
  }

  resources(): readonly State[] {
    return [...this.#fresh, ...this.old.filter((state) => !this.#done.has(state))];
  }

  /** The file's content, without what the store adds. A resource that did not change is the same object as the last time. */
  deployment(): Checkpoint["deployment"] {
    const running = [...this.#pending].map(([resource, type]) => ({ resource, type }));
    const pending = [...this.#leftover, ...running].map((operation) => ({
      ...operation,
      resource: this.#write(operation.resource),
    }));
    return {
      resources: this.resources().map((state) => this.#write(state)),
      ...(pending.length > 0 ? { pending_operations: pending } : {}),
      metadata: {},
    };
  }

  #write(state: State): ResourceState {
    const known = this.#written.get(state) ?? writeState(state);
    this.#written.set(state, known);
    return known;
  }
}

function withReference(state: State, from: string, to: string): State {
  const swap = (urn: string): string => (urn === from ? to : urn);
  const { parent, provider, dependencies, propertyDependencies } = state;
  const properties = Object.entries(propertyDependencies ?? {});
  return {
    ...state,
    ...(parent === undefined ? {} : { parent: swap(parent) }),
    ...(provider?.startsWith(`${from}::`) === true
      ? { provider: to + provider.slice(from.length) }
      : {}),
    ...(dependencies === undefined ? {} : { dependencies: dependencies.map(swap) }),
    ...(propertyDependencies === undefined
      ? {}
      : {
          propertyDependencies: Object.fromEntries(
            properties.map(([key, urns]) => [key, urns?.map(swap) ?? null]),
          ),
        }),
  };
}

function readState(state: ResourceState): State {
  return {
    ...state,
    ...(state.inputs === undefined ? {} : { inputs: fromState(state.inputs) }),
    ...(state.outputs === undefined ? {} : { outputs: fromState(state.outputs) }),
  };
}

function writeState(state: State): ResourceState {
  return {
    ...state,
    ...(state.inputs === undefined ? {} : { inputs: toState(state.inputs) }),
    ...(state.outputs === undefined ? {} : { outputs: toState(state.outputs) }),
  };
}

/**
 * Checks that nothing stands before what it needs.
 *
 * @throws Error naming the first resource that does.
 */
export function checkOrder(resources: readonly ResourceState[]): void {
  const seen = new Set<string>();
  for (const state of resources) {
    const missing = needsOf(state).find((urn) => !seen.has(urn));
    if (missing !== undefined) {
      throw new Error(`snapshot integrity error: ${state.urn} refers to ${missing}, not before it`);
    }
    seen.add(state.urn);
  }
}

/** The URNs a resource cannot be without: parent, provider, dependencies. */
export function needsOf(state: ResourceState): readonly string[] {
  const provider = state.provider?.split("::").slice(0, -1).join("::");
  const byProperty = Object.values(state.propertyDependencies ?? {}).flatMap((urns) => urns ?? []);
  const deletedWith = typeof state.deletedWith === "string" ? [state.deletedWith] : [];
  return [
    ...(state.parent === undefined ? [] : [state.parent]),
    ...(provider === undefined ? [] : [provider]),
    ...(state.dependencies ?? []),
    ...byProperty,
    ...deletedWith,
  ];
}
