/** The lab engine: a bench that runs unmodified Pulumi Node programs where no Pulumi CLI is. */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type {
  Checkpoint,
  Engine,
  EngineArgs,
  PreviewDigest,
  RunOptions,
  RunResult,
} from "./engine";
import { readProject, readSalt } from "./project";
import { Verb, Where, perform } from "./run";
import { Snapshot, checkOrder } from "./snapshot";
import { Locked, Store, manifestOf } from "./store";
import { withPrefix } from "./text";
import { STACK_TYPE } from "./urn";
import { fromState, stripProps } from "./values";

/** The SDK's version is the engine's: it speaks the protocol of that release. */
const VERSION = versionOf(require.resolve("@pulumi/pulumi/package.json"));

/** @throws Error when the project cannot be read or is not a nodejs one. */
export async function openLabEngine(args: EngineArgs): Promise<Engine> {
  const project = await readProject(args.projectDir);
  await mkdir(args.stateDir, { recursive: true, mode: 0o700 });
  const store = new Store(args.stateDir, project.name, args.stack);
  return new LabEngine({ args, project, store, version: VERSION });
}

class LabEngine implements Engine {
  readonly kind = "lab";
  readonly version = VERSION;
  readonly banner = "lab engine: a bench for tests and demonstrations, not the Pulumi CLI";

  constructor(private readonly where: Where) {}

  up(options: RunOptions = {}): Promise<RunResult> {
    return this.#locked("up", options);
  }

  refresh(options: RunOptions = {}): Promise<RunResult> {
    return this.#locked("refresh", options);
  }

  destroy(options: RunOptions = {}): Promise<RunResult> {
    return this.#locked("destroy", options);
  }

  /** Takes no lock and writes nothing. */
  async preview(options: RunOptions = {}): Promise<RunResult & { digest: PreviewDigest }> {
    const startedAt = process.hrtime.bigint();
    const { result, report, config } = await perform("preview", this.where, options);
    const shown = Object.entries(config).map(([key, one]) => [
      key,
      one.secret === true ? "[secret]" : one.value,
    ]);
    const digest: PreviewDigest = {
      config: Object.fromEntries(shown),
      steps: report.previewSteps,
      diagnostics: result.diagnostics.map((one) => ({ ...one, message: `${withPrefix(one)}\n` })),
      duration: Number(process.hrtime.bigint() - startedAt),
      changeSummary: result.summary,
    };
    return { ...result, digest };
  }

  async exportStack(): Promise<Checkpoint> {
    const { project, args, store } = this.where;
    const checkpoint = await store.load();
    const salt = await readSalt(project.root, args.stack);
    const { secrets_providers: known, ...rest } = checkpoint?.deployment ?? {};
    const secrets = salt === undefined ? known : { type: "passphrase", state: { salt } };
    const head = { manifest: manifestOf(VERSION) };
    const kept = secrets === undefined ? {} : { secrets_providers: secrets };
    return { version: 3, deployment: { ...head, ...kept, ...rest } };
  }

  async importStack(checkpoint: Checkpoint): Promise<void> {
    if (checkpoint.version !== 3) throw new Error("only deployments of version 3 can be imported");
    checkOrder(checkpoint.deployment.resources ?? []);
    new Snapshot(checkpoint); // throws when a secret is encrypted
    const unlock = await this.where.store.lock();
    try {
      this.where.store.save(checkpoint);
    } finally {
      await unlock();
    }
  }

  async setConfig(key: string, value: string, options: { secret?: boolean } = {}): Promise<void> {
    const config = await this.where.store.config();
    const one = options.secret === true ? { value, secret: true } : { value };
    this.where.store.saveConfig({ ...config, [this.#key(key)]: one });
  }

  async getConfig(key: string): Promise<string | undefined> {
    return (await this.where.store.config())[this.#key(key)]?.value;
  }

  async removeConfig(key: string): Promise<void> {
    const { [this.#key(key)]: _gone, ...rest } = await this.where.store.config();
    this.where.store.saveConfig(rest);
  }

  async outputs(): Promise<Record<string, unknown>> {
    const checkpoint = await this.where.store.load();
    const stack = checkpoint?.deployment.resources?.find((state) => state.type === STACK_TYPE);
    return { ...stripProps(fromState(stack?.outputs ?? {})) };
  }

  cancel(): Promise<void> {
    return this.where.store.breakLocks();
  }

  #key(key: string): string {
    return key.includes(":") ? key : `${this.where.project.name}:${key}`;
  }

  async #locked(verb: Verb, options: RunOptions): Promise<RunResult> {
    try {
      const unlock = await this.where.store.lock();
      const { result } = await perform(verb, this.where, options).finally(unlock);
      return result;
    } catch (error) {
      if (error instanceof Locked) return refused(error, options);
      throw error;
    }
  }
}

function refused(error: Locked, options: RunOptions): RunResult {
  const diagnostic = { severity: "error", message: error.message } as const;
  options.onEvent?.({ kind: "diagnostic", diagnostic });
  const stdout = `error: ${error.message}\n`;
  return { exitCode: 1, summary: {}, stdout, diagnostics: [diagnostic], steps: [] };
}

function versionOf(manifest: string): string {
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return version;
}
