import * as pulumi from "@pulumi/pulumi";
import { local } from "@pulumi/command";
import type { Desired } from "../plan/desired";
import { parseFacts } from "../plan/observed";
import { hasTodo, type Plan } from "../plan/plan";
import { commandOf } from "../plan/render/command";
import type { Scripts } from "../plan/scripts";
import type { RecordAct, Step } from "../plan/step";
import type { Dns } from "./dns/dns";
import { overdue } from "./dns/overdue";
import { UNLOGGED } from "./unlogged";

/** What the chain of steps is made from. */
export interface ChainArgs {
  readonly wish: Desired;
  readonly plan: Plan;
  readonly scripts: Scripts;
  readonly run: string;
  readonly dns: Dns;
  /** Signs the witness's content. */
  readonly sign: (content: string) => string;
  readonly password: pulumi.Input<string>;
  /** What this stack's claim of the epoch is known by. */
  readonly claimId: pulumi.Output<string>;
  /** Resources that must exist before the first step. */
  readonly after: readonly pulumi.Resource[];
  readonly protect: boolean;
}

/**
 * One resource a step, each after the one before: the same order and the same command text as the checklist.
 * Danger: while anything is todo every step's environment carries the run id, so that no step of a chain is "same" while
 * another runs; a fence that was taken back would otherwise be skipped the next time. When nothing is todo the run steps
 * ignore every change, whatever version, key or path did change.
 */
export function chain(
  name: string,
  args: ChainArgs,
  parent: pulumi.Resource,
): readonly pulumi.Resource[] {
  const made = new Map<string, pulumi.Resource>();
  let previous: readonly pulumi.Resource[] = args.after;
  for (const step of args.plan.steps) {
    const options = { parent, dependsOn: [...previous] };
    const resource =
      step.act.kind === "record"
        ? recordStep(`${name}-${step.id}`, step, step.act, args, previous, parent)
        : runStep(`${name}-${step.id}`, step, args, made, options);
    made.set(step.id, resource);
    previous = [resource];
  }
  return [...made.values()];
}

function runStep(
  name: string,
  step: Step,
  args: ChainArgs,
  made: ReadonlyMap<string, pulumi.Resource>,
  options: pulumi.CustomResourceOptions,
): local.Command {
  const todo = step.state === "todo";
  const quiet = !hasTodo(args.plan);
  const { create, stdin } = commandOf(step, args.wish, args.scripts, todo ? "act" : "check");
  const environment: Record<string, pulumi.Input<string>> = {
    RUN: args.run,
    DIGEST: args.plan.digest,
    FACTS: todo ? factsFor(step, made) : "",
    SECRET: todo && needsSecret(step) ? pulumi.interpolate`password=${args.password}` : "",
  };
  return new local.Command(
    name,
    {
      create,
      stdin,
      environment,
      ...UNLOGGED,
    },
    {
      ...options,
      additionalSecretOutputs: ["stderr"],
      ...(quiet ? { ignoreChanges: ["*"] } : {}),
    },
  );
}

function needsSecret(step: Step): boolean {
  return (
    step.act.kind === "run" && step.act.parts.some((part) => part.secret === true && part.dial)
  );
}

/** The facts a step names, as lines; unknown in a preview, which leaves the script readable. */
function factsFor(step: Step, made: ReadonlyMap<string, pulumi.Resource>): pulumi.Input<string> {
  const lines = step.needs.flatMap(({ fact, of }) => {
    const source = made.get(of);
    return source instanceof local.Command
      ? [source.stdout.apply((stdout) => `${fact}=${parseFacts(stdout)[fact] ?? ""}`)]
      : [];
  });
  return lines.length === 0 ? "" : pulumi.all(lines).apply((all) => all.join("\n"));
}

function recordStep(
  name: string,
  step: Step,
  act: RecordAct,
  args: ChainArgs,
  previous: readonly pulumi.Resource[],
  parent: pulumi.Resource,
): pulumi.CustomResource {
  const said = act.type === "TXT" ? args.sign(act.content) : act.content;
  const { ready, dependsOn, content } = gate(step, act, said, args, previous);
  const record = args.dns.record(
    name,
    { zone: act.zone, name: act.name, type: act.type, content },
    {
      parent,
      dependsOn,
      protect: args.protect,
      // What is not to be written now keeps what the state says: a new key or a pending API changes no record by itself.
      ...(step.state === "todo" || mended(step) ? {} : { ignoreChanges: ["content"] }),
    },
  );
  if (step.state === "todo" && !pulumi.runtime.isDryRun()) {
    void ready.then(
      () => overdue(record, act.name, step.bound),
      () => undefined,
    );
  }
  return record;
}

/** At rest a pivot that points elsewhere: the state says what it should be, so that only a refresh changes it back. */
function mended(step: Step): boolean {
  return step.phase === "announce" && step.state === "done" && step.note !== undefined;
}

interface Gate {
  /** The record may be written now. The one promise that rejects, with `dependsOn`. */
  readonly ready: Promise<unknown>;
  readonly dependsOn: pulumi.Input<pulumi.Resource[]>;
  readonly content: pulumi.Input<string>;
}

/** What must hold in the moment before a record is written. A preview looks at nothing and shows the record as it will be. */
function gate(
  step: Step,
  act: RecordAct,
  said: string,
  { plan, dns, claimId }: ChainArgs,
  previous: readonly pulumi.Resource[],
): Gate {
  const before = answered(previous);
  const free = { ready: before, dependsOn: [...previous], content: said };
  if (step.state !== "todo" || pulumi.runtime.isDryRun()) return free;
  if (act.claim !== undefined) {
    const ready = before.then(async () => dns.claim(plan, await settled(claimId)));
    return { ...free, ready, dependsOn: ready.then(() => [...previous]) };
  }
  if (step.phase !== "announce") return free;
  const ready = before.then(() => dns.reread(plan, act));
  return {
    ready,
    dependsOn: ready.then(() => [...previous]),
    content: ready.then(
      (verdict) => (verdict === "write" ? said : act.live),
      () => said,
    ),
  };
}

/** Resolves when the engine has answered for all of them; if one fails, the engine ends the program instead. */
function answered(resources: readonly pulumi.Resource[]): Promise<unknown> {
  return settled(pulumi.all(resources.map((resource) => resource.urn)));
}

function settled<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply((value) => resolve(value)));
}
