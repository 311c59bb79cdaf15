/** One run of the lab engine: up, preview, refresh or destroy, from the checkpoint to the result. */
import { availableParallelism } from "node:os";
import { deleteAll } from "./deletes";
import { Deployment } from "./deployment";
import type { Checkpoint, EngineArgs, RunOptions, RunResult } from "./engine";
import { Executor, Stopped } from "./executor";
import { serveMonitor } from "./monitor";
import { TOLD_ALREADY, startProgram } from "./program";
import { Project } from "./project";
import { configInState } from "./providers";
import { refreshAll } from "./refresh";
import { Report } from "./report";
import { Snapshot } from "./snapshot";
import { Config, Store, manifestOf } from "./store";
import { STACK_TYPE, makeUrn, nameOf } from "./urn";

export type Verb = "up" | "preview" | "refresh" | "destroy";

const TITLES: Readonly<Record<Verb, string>> = {
  up: "Updating",
  preview: "Previewing update",
  refresh: "Refreshing",
  destroy: "Destroying",
};
const PARALLEL = 4 * availableParallelism();

/** The stack a run works on. */
export interface Where {
  readonly args: EngineArgs;
  readonly project: Project;
  readonly store: Store;
  /** Version of the engine, for the state's manifest. */
  readonly version: string;
}

/** What one run has in hand. */
interface Run extends Where {
  readonly dryRun: boolean;
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly executor: Executor;
  readonly report: Report;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly stackUrn: string;
}

/** Runs it. The caller holds the lock, unless it is a preview. */
export async function perform(
  verb: Verb,
  where: Where,
  options: RunOptions,
): Promise<{ result: RunResult; report: Report; config: Config }> {
  const checkpoint = await where.store.load();
  const snapshot = new Snapshot(checkpoint);
  const stackUrn = stackUrnOf(where);
  const title = `${TITLES[verb]} (${where.args.stack}):`;
  const report = new Report(title, stackUrn, options.onEvent);
  const dryRun = verb === "preview";
  const signal = options.signal ?? new AbortController().signal;
  const save = (): void => where.store.save(checkpointOf(snapshot, checkpoint, where.version));
  const executor = new Executor({ dryRun, parallel: PARALLEL, snapshot, save, report, signal });
  const env = environment(where.args.env, options.env);
  const config = await where.store.config();
  const run = { ...where, dryRun, config, snapshot, executor, report, env, signal, stackUrn };
  warnOfLeftovers(snapshot, report);
  await BODIES[verb](run).catch((error: unknown) => {
    if (!(error instanceof Stopped)) executor.fail(error, undefined);
  });
  await executor.idle();
  if (!dryRun) save();
  sayHowItEnded(verb, run);
  const exitCode = executor.stopped ? 1 : 0;
  const { summary, diagnostics, steps } = report;
  return {
    result: { exitCode, summary, stdout: report.text(), diagnostics, steps },
    report,
    config,
  };
}

const BODIES: Readonly<Record<Verb, (run: Run) => Promise<void>>> = {
  up: runProgram,
  preview: runProgram,
  refresh,
  destroy,
};

async function runProgram(run: Run): Promise<void> {
  const { executor, report, project, env, signal } = run;
  const act = { env, cwd: project.cwd, signal };
  const names = { project: project.name, stack: run.args.stack };
  const deployment = new Deployment({ ...run, ...names, act });
  const monitor = await serveMonitor({ deployment, executor, report });
  const common = { stack: names.stack, address: monitor.address, parallel: PARALLEL };
  const program = startProgram({ ...run, ...common });
  void executor.halted.then(() => program.stop());
  try {
    const code = await program.exited;
    await executor.idle();
    if (executor.stopped) return;
    // A program that ends with 0 is finished even if it did not say so.
    if (code === 0 && !monitor.finished()) await deployment.finish();
    if (code !== 0) programFailed(code, run);
  } finally {
    monitor.close();
  }
}

function programFailed(code: number | null, run: Run): void {
  if (code === TOLD_ALREADY) return run.executor.halt();
  const how = code === null ? "was killed by a signal" : `exited with non-zero exit code: ${code}`;
  run.executor.fail(new Error(`an unhandled error occurred: Program ${how}`), run.stackUrn);
}

async function refresh(run: Run): Promise<void> {
  run.snapshot.forgetLeftover();
  await refreshAll({ ...run, cwd: run.project.cwd });
}

async function destroy(run: Run): Promise<void> {
  const { env, signal, report, snapshot } = run;
  await deleteAll(snapshot.old, {
    ...run,
    actFor: (state) => ({
      name: nameOf(state.urn),
      env,
      cwd: run.project.cwd,
      signal,
      provider: configInState(state.provider, snapshot.old),
      log: (message) => report.ephemeral(message, state.urn),
    }),
  });
  snapshot.forgetLeftover();
}

function sayHowItEnded(verb: Verb, run: Run): void {
  const { report, executor, signal, stackUrn } = run;
  if (signal.aborted) report.diagnostic("error", "update cancelled", stackUrn);
  if (!executor.stepFailed) return;
  if (verb === "preview") report.diagnostic("error", "preview failed");
  else report.diagnostic("error", verb === "up" ? "update failed" : `${verb} failed`, stackUrn);
}

function stackUrnOf({ args, project }: Where): string {
  return makeUrn(args.stack, project.name, undefined, STACK_TYPE, `${project.name}-${args.stack}`);
}

function checkpointOf(
  snapshot: Snapshot,
  before: Checkpoint | undefined,
  version: string,
): Checkpoint {
  const secrets = before?.deployment.secrets_providers;
  const head = { manifest: manifestOf(version) };
  const kept = secrets === undefined ? {} : { secrets_providers: secrets };
  return { version: 3, deployment: { ...head, ...kept, ...snapshot.deployment() } };
}

function environment(
  ...layers: readonly (Readonly<Record<string, string>> | undefined)[]
): Record<string, string> {
  const own = Object.entries(process.env).filter((entry) => entry[1] !== undefined);
  return Object.assign(Object.fromEntries(own), ...layers) as Record<string, string>;
}

function warnOfLeftovers(snapshot: Snapshot, report: Report): void {
  const { leftover } = snapshot;
  if (leftover.length === 0) return;
  const lines = leftover.map(
    ({ resource, type }) => `  * ${resource.urn}, interrupted while ${type}`,
  );
  report.diagnostic(
    "warning",
    `Attempting to deploy or update resources with ${leftover.length} pending operations from ` +
      `previous deployment.\n${lines.join("\n")}\nThese resources are in an unknown state because ` +
      "the engine was interrupted while waiting for changes to these resources to complete.\n" +
      "A refresh forgets them (`pulumi refresh --clear-pending-creates`).",
  );
}
