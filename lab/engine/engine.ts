/**
 * What the demo, the tests and the measurements need of a Pulumi engine, whichever one it is.
 *
 * Two adapters exist: `pulumi` (the real CLI by the Automation API) and `lab` (the bench in this
 * folder). The programs they run are the same, unmodified files.
 */
import { openLabEngine } from "./lab";
import { findPulumi, openPulumiEngine } from "./pulumi";

/** What a step does to one resource, in the words of `pulumi preview --json`. */
export type Op =
  | "same"
  | "create"
  | "update"
  | "delete"
  | "replace"
  | "create-replacement"
  | "delete-replaced"
  | "import"
  | "read"
  | "refresh";

/** One step that ran: a resource and what was done to it. Times are milliseconds since 1970. */
export interface StepRecord {
  readonly urn: string;
  readonly op: Op;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
}

/** One line the program, a provider or the engine had to say. */
export interface Diagnostic {
  /** `info#err` is what the program wrote to its standard error. */
  readonly severity: "debug" | "info" | "info#err" | "warning" | "error";
  readonly message: string;
  readonly urn?: string;
}

/** What a caller can follow live. `pre` and `done` bracket one step of one resource. */
export type EngineEvent =
  | { readonly kind: "pre"; readonly urn: string; readonly op: Op; readonly at: number }
  | { readonly kind: "done"; readonly step: StepRecord }
  | { readonly kind: "diagnostic"; readonly diagnostic: Diagnostic };

/** Options of everything that runs the program or its steps. */
export interface RunOptions {
  /** Called for each event while the run goes on. */
  readonly onEvent?: (event: EngineEvent) => void;
  /** Extra environment of the program and of the commands its resources run. */
  readonly env?: Readonly<Record<string, string>>;
  /** Aborting it is one Ctrl-C: no new steps, running commands are killed. */
  readonly signal?: AbortSignal;
}

/** Options of `up`. A plan's approval is config of the program, not an option of the engine. */
export type UpOptions = RunOptions;

/** The result of one run. A failed run is a result, not an exception. */
export interface RunResult {
  /** 0, or what the real CLI would have exited with. */
  readonly exitCode: number;
  /** How many resources had which op, e.g. `{ create: 3, same: 2 }`. */
  readonly summary: Readonly<Partial<Record<Op, number>>>;
  /** The text a person would have seen: a line a resource, then the diagnostics. */
  readonly stdout: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly steps: readonly StepRecord[];
}

/** One entry of `steps` of `pulumi preview --json`. Secrets are blinded as "[secret]". */
export interface PreviewStep {
  readonly op: Op;
  readonly urn: string;
  readonly provider?: string;
  readonly oldState?: ResourceState;
  readonly newState?: ResourceState;
  readonly diffReasons?: readonly string[];
  readonly replaceReasons?: readonly string[];
  readonly detailedDiff?: Readonly<Record<string, { kind: string; inputDiff: boolean }>> | null;
}

/** The JSON of `pulumi preview --json`. `duration` is in nanoseconds. */
export interface PreviewDigest {
  readonly config?: Readonly<Record<string, string>>;
  readonly steps?: readonly PreviewStep[];
  readonly diagnostics?: readonly Diagnostic[];
  readonly duration: number;
  readonly changeSummary: Readonly<Partial<Record<Op, number>>>;
}

/** A resource as Pulumi's deployment version 3 has it. */
export interface ResourceState {
  readonly urn: string;
  readonly custom: boolean;
  readonly type: string;
  readonly id?: string;
  readonly delete?: boolean;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly parent?: string;
  readonly provider?: string;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
  readonly additionalSecretOutputs?: readonly string[];
  readonly protect?: boolean;
  readonly retainOnDelete?: boolean;
  readonly external?: boolean;
  readonly created?: string;
  readonly modified?: string;
  readonly [other: string]: unknown;
}

/** An operation that had begun when the engine was killed. */
export interface PendingOperation {
  readonly resource: ResourceState;
  readonly type: "creating" | "updating" | "deleting" | "reading" | "importing";
}

/** A stack's state: deployment version 3, secrets in the `--show-secrets` form. */
export interface Checkpoint {
  readonly version: 3;
  readonly deployment: {
    readonly manifest?: unknown;
    readonly secrets_providers?: unknown;
    readonly resources?: readonly ResourceState[];
    readonly pending_operations?: readonly PendingOperation[];
    readonly metadata?: unknown;
  };
}

/** One stack of one program, on either engine. Calls on it go one after the other. */
export interface Engine {
  readonly kind: "lab" | "pulumi";
  /** The version of the CLI, or of @pulumi/pulumi for the lab engine. */
  readonly version: string;
  /** The line to print first: which engine this is. */
  readonly banner: string;
  up(options?: UpOptions): Promise<RunResult>;
  preview(options?: RunOptions): Promise<RunResult & { digest: PreviewDigest }>;
  refresh(options?: RunOptions): Promise<RunResult>;
  destroy(options?: RunOptions): Promise<RunResult>;
  exportStack(): Promise<Checkpoint>;
  importStack(checkpoint: Checkpoint): Promise<void>;
  /** A key without a namespace belongs to the project. */
  setConfig(key: string, value: string, options?: { secret?: boolean }): Promise<void>;
  getConfig(key: string): Promise<string | undefined>;
  removeConfig(key: string): Promise<void>;
  outputs(): Promise<Record<string, unknown>>;
  /** Breaks the stack's lock, whoever holds it, as `pulumi cancel` does. */
  cancel(): Promise<void>;
}

/** What `openEngine` needs to know. */
export interface EngineArgs {
  /** The folder of Pulumi.yaml. */
  readonly projectDir: string;
  /** The stack's name; it is made when it does not exist. */
  readonly stack: string;
  /** Where the state lives. Made (0700) when missing; holds secrets. */
  readonly stateDir: string;
  /** @default "" */
  readonly passphrase?: string;
  /** Extra environment of every run. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default STANDBY_ENGINE, else pulumi when it is on PATH, else lab */
  readonly force?: "lab" | "pulumi";
}

/**
 * Opens a stack on the engine this machine has.
 *
 * @throws Error when `pulumi` is forced and not on PATH, or the project cannot be read.
 */
export async function openEngine(args: EngineArgs): Promise<Engine> {
  const wish = args.force ?? forcedByEnvironment();
  const cli = wish === "lab" ? undefined : await findPulumi();
  if (wish === "pulumi" && cli === undefined) {
    throw new Error(
      "the engine pulumi is asked for, but no pulumi is on PATH\n" +
        "HINT: install the Pulumi CLI, or set STANDBY_ENGINE=lab.",
    );
  }
  return cli === undefined ? openLabEngine(args) : openPulumiEngine(args, cli);
}

function forcedByEnvironment(): "lab" | "pulumi" | undefined {
  const value = process.env.STANDBY_ENGINE;
  if (value === undefined || value === "") return undefined;
  if (value === "lab" || value === "pulumi") return value;
  throw new Error(`STANDBY_ENGINE: ${value} is neither lab nor pulumi`);
}
