/** The real engine: the Pulumi CLI, by the Automation API, with a file backend and no network. */
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import * as path from "node:path";
import type { LocalWorkspace, Stack } from "@pulumi/pulumi/automation";
import type {
  Checkpoint,
  Engine,
  EngineArgs,
  PreviewDigest,
  RunOptions,
  RunResult,
} from "./engine";
import { Listener } from "./pulumiEvents";

/** The path of the `pulumi` on PATH, if there is one. */
export async function findPulumi(): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(path.delimiter).filter((one) => one !== "")) {
    const file = path.join(folder, "pulumi");
    const usable = await access(file, constants.X_OK)
      .then(() => true)
      .catch(() => false);
    if (usable) return file;
  }
  return undefined;
}

/** Opens the stack on the CLI; its version is asked for once. */
export async function openPulumiEngine(args: EngineArgs, cli: string): Promise<Engine> {
  await mkdir(args.stateDir, { recursive: true, mode: 0o700 });
  // Loaded only here: it costs the lab engine nothing.
  const automation = await import("@pulumi/pulumi/automation/index.js");
  const envVars = environmentOf(args);
  const workspace = await automation.LocalWorkspace.create({
    workDir: args.projectDir,
    secretsProvider: "passphrase",
    envVars,
  });
  const stack = await automation.Stack.createOrSelect(args.stack, workspace);
  return new PulumiEngine(cli, workspace.pulumiVersion, stack, workspace, envVars);
}

// Nothing here may ask the network or a person.
function environmentOf(args: EngineArgs): Record<string, string> {
  return {
    PULUMI_BACKEND_URL: `file://${path.resolve(args.stateDir)}`,
    PULUMI_CONFIG_PASSPHRASE: args.passphrase ?? "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_SKIP_CONFIRMATIONS: "true",
    NO_COLOR: "1",
    ...args.env,
  };
}

class PulumiEngine implements Engine {
  readonly kind = "pulumi";
  readonly banner: string;

  constructor(
    private readonly cli: string,
    readonly version: string,
    private readonly stack: Stack,
    private readonly workspace: LocalWorkspace,
    private readonly env: Readonly<Record<string, string>>,
  ) {
    this.banner = `engine: Pulumi CLI ${version}`;
  }

  up(options: RunOptions = {}): Promise<RunResult> {
    return this.#run(options, (common) => this.stack.up(common));
  }

  refresh(options: RunOptions = {}): Promise<RunResult> {
    return this.#run(options, (common) =>
      this.stack.refresh({ ...common, clearPendingCreates: true }),
    );
  }

  destroy(options: RunOptions = {}): Promise<RunResult> {
    return this.#run(options, (common) => this.stack.destroy(common));
  }

  /** `preview --json` runs the program once; the events of the steps are made from its answer. */
  async preview(options: RunOptions = {}): Promise<RunResult & { digest: PreviewDigest }> {
    const { code, stdout, stderr } = await this.#previewJson(options);
    const digest = parseDigest(stdout, stderr);
    const diagnostics = (digest.diagnostics ?? []).map((one) => ({
      ...one,
      message: one.message.replace(/^(error|warning): /, "").replace(/\n+$/, ""),
    }));
    for (const diagnostic of diagnostics) options.onEvent?.({ kind: "diagnostic", diagnostic });
    const common = {
      exitCode: code,
      summary: digest.changeSummary,
      stdout,
      diagnostics,
      steps: [],
    };
    return { ...common, digest };
  }

  async exportStack(): Promise<Checkpoint> {
    return (await this.stack.exportStack()) as Checkpoint;
  }

  importStack(checkpoint: Checkpoint): Promise<void> {
    return this.stack.importStack({ ...checkpoint });
  }

  setConfig(key: string, value: string, options: { secret?: boolean } = {}): Promise<void> {
    return this.stack.setConfig(key, { value, secret: options.secret === true });
  }

  async getConfig(key: string): Promise<string | undefined> {
    const all = await this.stack.getAllConfig();
    const { name } = await this.workspace.projectSettings();
    return all[key.includes(":") ? key : `${name}:${key}`]?.value;
  }

  removeConfig(key: string): Promise<void> {
    return this.stack.removeConfig(key);
  }

  async outputs(): Promise<Record<string, unknown>> {
    const all = Object.entries(await this.stack.outputs());
    return Object.fromEntries(all.map(([key, output]) => [key, output.value as unknown]));
  }

  cancel(): Promise<void> {
    return this.stack.cancel();
  }

  async #run(
    options: RunOptions,
    verb: (common: {
      onOutput: (text: string) => void;
      onEvent: Listener["hear"];
      signal?: AbortSignal;
    }) => Promise<unknown>,
  ): Promise<RunResult> {
    const listener = new Listener(options.onEvent);
    let stdout = "";
    const common = {
      onOutput: (text: string) => void (stdout += text),
      onEvent: listener.hear,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    Object.assign(this.workspace.envVars, this.env, options.env);
    const exitCode = await verb(common).then(
      () => 0,
      (error: unknown) => {
        listener.failed(error);
        return exitCodeOf(error);
      },
    );
    const { summary, diagnostics, steps } = listener;
    return { exitCode, summary, stdout, diagnostics, steps };
  }

  #previewJson(options: RunOptions): Promise<{ code: number; stdout: string; stderr: string }> {
    const flags = ["preview", "--json", "--non-interactive", "--stack", this.stack.name];
    const env = { ...process.env, ...this.env, ...options.env };
    const child = { cwd: this.workspace.workDir, env, maxBuffer: 64 * 1024 * 1024 };
    return new Promise((resolve) => {
      const running = execFile(this.cli, flags, child, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        resolve({ code, stdout, stderr });
      });
      options.signal?.addEventListener("abort", () => running.kill("SIGINT"), { once: true });
    });
  }
}

function parseDigest(stdout: string, stderr: string): PreviewDigest {
  const start = stdout.indexOf("{");
  if (start >= 0) return JSON.parse(stdout.slice(start)) as PreviewDigest;
  const diagnostics = [{ severity: "error", message: stderr.trim() } as const];
  return { diagnostics, duration: 0, changeSummary: {} };
}

function exitCodeOf(error: unknown): number {
  const { commandResult } = error as { commandResult?: { code?: number } };
  return commandResult?.code ?? 1;
}
