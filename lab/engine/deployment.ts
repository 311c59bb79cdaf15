/**
 * One run of a program: what it registers becomes steps, and what it no longer registers is deleted
 * when it says that it is finished.
 */
import { deleteAll } from "./deletes";
import { Executor, Stopped } from "./executor";
import { Goal, ReadGoal, inherit } from "./goal";
import { aliasUrns, targetOf } from "./identity";
import { applyIgnore } from "./ignore";
import { Act } from "./kinds/kind";
import { invokeOf, kindOf } from "./kinds";
import { Providers, configInState, providerInputs, providerState } from "./providers";
import { readOne } from "./reading";
import { Report } from "./report";
import { Snapshot, State } from "./snapshot";
import { advance } from "./steps";
import { Config } from "./store";
import { STACK_TYPE, isProviderType, makeUrn, nameOf } from "./urn";
import { Props, equal, stripProps } from "./values";

export interface DeploymentArgs {
  readonly project: string;
  readonly stack: string;
  readonly dryRun: boolean;
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly executor: Executor;
  readonly report: Report;
  readonly act: Pick<Act, "env" | "cwd" | "signal">;
}

export class Deployment {
  readonly #args: DeploymentArgs;
  readonly #olds = new Map<string, State>();
  readonly #goals = new Map<string, Goal>();
  readonly #made = new Map<string, State>();
  readonly #aliases = new Map<string, readonly string[]>();
  readonly #condemned: State[] = [];
  readonly #providers: Providers;
  #stackOutputs: Props | undefined;

  constructor(args: DeploymentArgs) {
    this.#args = args;
    for (const state of args.snapshot.old) {
      if (state.delete === true) this.#condemned.push(state);
      else this.#olds.set(state.urn, state);
    }
    this.#providers = new Providers(args, args.executor, (urn) => this.#takeOld(urn, []));
  }

  /** @throws Stopped when the run is over; the reason is reported already. */
  async register(asked: Goal): Promise<State> {
    if (this.#args.executor.stopped) throw new Stopped();
    const goal = inherit(asked, this.#goals.get(asked.parent));
    const urn = makeUrn(this.#args.stack, this.#args.project, goal.parent, goal.type, goal.name);
    return this.#guard(urn, async () => {
      if (this.#goals.has(urn)) {
        throw new Error(`Duplicate resource URN '${urn}'; try giving it a unique name`);
      }
      this.#goals.set(urn, goal);
      const state = await this.#step(goal, urn);
      this.#made.set(urn, state);
      if (isProviderType(goal.type)) this.#providers.add(state);
      return state;
    });
  }

  async #step(goal: Goal, urn: string): Promise<State> {
    const aliases = aliasUrns(goal, urn, this.#aliases.get(goal.parent) ?? [], this.#args);
    this.#aliases.set(urn, aliases);
    const old = this.#takeOld(urn, aliases);
    if (!goal.custom) {
      const given =
        old === undefined
          ? goal.inputs
          : applyIgnore(old.inputs ?? {}, goal.inputs, goal.ignoreChanges);
      return this.#plain(targetOf(goal, urn, given, old), old, {});
    }
    if (isProviderType(goal.type)) return this.#provider(goal, urn, old);
    const kind = kindOf(goal.type);
    const provider = await this.#providers.of(goal);
    const wanted =
      old === undefined
        ? goal.inputs
        : applyIgnore(old.inputs ?? {}, goal.inputs, goal.ignoreChanges);
    const target = { ...targetOf(goal, urn, kind.check(wanted), old), provider: provider.ref };
    const act = this.#act(urn, provider.config);
    return advance(
      { goal, kind, target, old, act },
      { ...this.#args, condemn: (one) => this.#condemned.push(one) },
    );
  }

  #provider(goal: Goal, urn: string, old: State | undefined): Promise<State> {
    const wanted = providerInputs(goal.inputs, goal.version);
    const inputs =
      old === undefined ? wanted : applyIgnore(old.inputs ?? {}, wanted, goal.ignoreChanges);
    const target = targetOf(goal, urn, inputs, old);
    return this.#plain(target, old, providerState(target, inputs, old, this.#args.dryRun));
  }

  // Components and providers: nothing happens outside, the state just follows.
  async #plain(target: State, old: State | undefined, extra: Partial<State>): Promise<State> {
    const same = old !== undefined && equal(old.inputs ?? {}, target.inputs ?? {});
    const kept = same && old.outputs !== undefined ? { outputs: old.outputs } : {};
    const state: State = { ...target, ...kept, ...extra };
    if (old !== undefined) {
      const told = {
        op: same ? "same" : "update",
        urn: target.urn,
        before: old,
        after: target,
      } as const;
      await this.#args.executor.keep(told, old, state, !equal(old, state));
    } else {
      const told = { op: "create", urn: target.urn, after: target } as const;
      await this.#args.executor.run({
        told,
        pending: undefined,
        before: undefined,
        act: async () => state,
      });
    }
    return state;
  }

  /** Outputs of a component. Those of the stack wait until the run has succeeded. */
  async registerOutputs(urn: string, outputs: Props): Promise<void> {
    const state = this.#made.get(urn);
    if (state === undefined) throw new Error(`unknown resource ${urn}`);
    if (state.type === STACK_TYPE) this.#stackOutputs = outputs;
    else if (!this.#args.dryRun) await this.#setOutputs(state, outputs);
  }

  async #setOutputs(state: State, outputs: Props): Promise<void> {
    const { outputs: before, ...rest } = state;
    if (equal(before ?? {}, outputs)) return;
    const after = { ...rest, ...(Object.keys(outputs).length > 0 ? { outputs } : {}) } as State;
    this.#made.set(state.urn, after);
    this.#args.snapshot.replace(state, after);
  }

  /** An existing resource that the stack reads and does not own. */
  async read(goal: ReadGoal): Promise<State> {
    if (this.#args.executor.stopped) throw new Stopped();
    const urn = makeUrn(this.#args.stack, this.#args.project, goal.parent, goal.type, goal.name);
    return this.#guard(urn, async () => {
      const provider = await this.#providers.of(goal);
      const act = this.#act(urn, provider.config);
      const one = { goal, urn, provider: provider.ref, old: this.#takeOld(urn, []), act };
      return readOne(one, this.#args.executor);
    });
  }

  /** Calls a provider's function. Its failure is the program's to handle. */
  async invoke(token: string, args: Props, provider: string, version: string): Promise<Props> {
    const invoke = invokeOf(token);
    const { config } = await this.#providers.of({ type: token, provider, version });
    return invoke(stripProps(args), this.#act(makeUrn("", "", "", token, "invoke"), config));
  }

  /** The program is finished: deletes what it did not register, then records the stack's outputs. */
  async finish(): Promise<void> {
    await this.#args.executor.idle();
    if (this.#args.executor.stopped) throw new Stopped();
    await deleteAll([...this.#olds.values(), ...this.#condemned], {
      ...this.#args,
      actFor: (state) =>
        this.#act(state.urn, configInState(state.provider, this.#args.snapshot.old)),
    });
    const stack = [...this.#made.values()].find((state) => state.type === STACK_TYPE);
    if (stack !== undefined && this.#stackOutputs !== undefined && !this.#args.dryRun) {
      await this.#setOutputs(stack, this.#stackOutputs);
    }
  }

  // Anything that goes wrong while a step is worked out ends the run, as a failed step does.
  async #guard<T>(urn: string, body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof Stopped)) this.#args.executor.fail(error, urn);
      throw new Stopped();
    }
  }

  #act(urn: string, provider: Props): Act {
    const log = (message: string): void => this.#args.report.ephemeral(message, urn);
    return { ...this.#args.act, name: nameOf(urn), provider, log };
  }

  #takeOld(urn: string, aliases: readonly string[]): State | undefined {
    const name = [urn, ...aliases].find((one) => this.#olds.has(one));
    if (name === undefined) return undefined;
    const old = this.#olds.get(name);
    this.#olds.delete(name);
    if (name !== urn) {
      this.#args.snapshot.rename(name, urn);
      for (const state of this.#args.snapshot.old) {
        if (this.#olds.has(state.urn)) this.#olds.set(state.urn, state);
      }
    }
    return old;
  }
}
