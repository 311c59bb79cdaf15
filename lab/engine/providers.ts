/** Provider resources: the program's own, and the default ones the engine makes on first use. */
import { randomUUID } from "node:crypto";
import { Executor } from "./executor";
import { State } from "./snapshot";
import { Config } from "./store";
import { isProviderType, makeUrn, packageOf, providerTypeFor, typeOf } from "./urn";
import { Props, UNKNOWN, equal, secret, stripProps } from "./values";

/** A provider as a resource refers to it. */
export interface ProviderRef {
  /** `urn::id`; the id is unknown in a preview that would create it. */
  readonly ref: string;
  /** Its configuration, without secret marks. */
  readonly config: Props;
}

interface Named {
  readonly type: string;
  readonly provider: string;
  readonly version: string;
}

export class Providers {
  readonly #known = new Map<string, State>();
  readonly #defaults = new Map<string, Promise<State>>();

  constructor(
    private readonly where: { stack: string; project: string; config: Config; dryRun: boolean },
    private readonly executor: Executor,
    private readonly takeOld: (urn: string) => State | undefined,
  ) {}

  /** Remembers a provider the program has registered. */
  add(state: State): void {
    this.#known.set(state.urn, state);
  }

  /** @throws Error when the program names a provider that it has not registered. */
  async of(named: Named): Promise<ProviderRef> {
    if (named.provider === "") return toRef(await this.#default(named));
    const urn = named.provider.split("::").slice(0, -1).join("::");
    const state = this.#known.get(urn);
    if (state === undefined) throw new Error(`unknown provider ${named.provider}`);
    return toRef(state);
  }

  #default(named: Named): Promise<State> {
    const type = providerTypeFor(named.type);
    const suffix = named.version === "" ? "" : `_${named.version.replace(/[^A-Za-z0-9]/g, "_")}`;
    const urn = makeUrn(this.where.stack, this.where.project, undefined, type, `default${suffix}`);
    const made = this.#defaults.get(urn) ?? this.#make(urn, type, named.version);
    this.#defaults.set(urn, made);
    return made;
  }

  async #make(urn: string, type: string, version: string): Promise<State> {
    const inputs = providerInputs(configFor(packageOf(type), this.where.config), version);
    const old = this.takeOld(urn);
    const state = providerState({ urn, custom: true, type }, inputs, old, this.where.dryRun);
    if (old === undefined) {
      const made = async (): Promise<State> => state;
      await this.executor.run({
        told: { op: "create", urn },
        pending: undefined,
        before: old,
        act: made,
      });
    } else await this.executor.keep({ op: "same", urn }, old, state, !equal(old, state));
    return state;
  }
}

/** Inputs of a provider as the real engine stores them. */
export function providerInputs(inputs: Props, version: string): Props {
  return { __internal: {}, ...inputs, ...(version === "" ? {} : { version }) };
}

/** Completes a provider's state: its outputs are its inputs, its id is made once. */
export function providerState(
  head: Pick<State, "urn" | "custom" | "type">,
  inputs: Props,
  old: State | undefined,
  dryRun: boolean,
): State {
  const { __internal: _engine, ...outputs } = inputs;
  const now = new Date().toISOString();
  const modified = old !== undefined && equal(old.inputs, inputs) ? old.modified : now;
  return {
    ...head,
    id: old?.id ?? (dryRun ? UNKNOWN : randomUUID()),
    inputs,
    outputs,
    created: old?.created ?? now,
    modified: modified ?? now,
  };
}

function toRef(state: State): ProviderRef {
  return { ref: `${state.urn}::${state.id ?? UNKNOWN}`, config: stripProps(state.inputs ?? {}) };
}

function configFor(name: string, config: Config): Props {
  const own = Object.entries(config).filter(([key]) => key.startsWith(`${name}:`));
  return Object.fromEntries(
    own.map(([key, { value, secret: hidden }]) => [
      key.slice(name.length + 1),
      hidden === true ? secret(value) : value,
    ]),
  );
}

/** The configuration of a provider that is in the state, for a run without a program. */
export function configInState(ref: string | undefined, resources: readonly State[]): Props {
  const urn = ref?.split("::").slice(0, -1).join("::");
  const state = resources.find((one) => one.urn === urn && isProviderType(typeOf(one.urn)));
  return stripProps(state?.inputs ?? {});
}
