/** Starts a Pulumi Node program with @pulumi/pulumi's own `cmd/run`, as the real language host does. */
import { ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Project } from "./project";
import { Report } from "./report";
import { Config } from "./store";

/** The SDK's exit code for "failed, and the user was told why". */
export const TOLD_ALREADY = 32;
const GRACE_MS = 2000;

export interface ProgramArgs {
  readonly project: Project;
  readonly stack: string;
  readonly address: string;
  readonly config: Config;
  readonly dryRun: boolean;
  readonly parallel: number;
  readonly env: Readonly<Record<string, string>>;
  readonly report: Report;
  readonly stackUrn: string;
}

/** A running program. */
export interface Program {
  /** Its exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** SIGINT, and SIGKILL if that is not heard. */
  stop(): void;
}

export function startProgram(args: ProgramArgs): Program {
  const { project, address } = args;
  // The SDK next to the program, so that only one copy of it is loaded.
  const runner = require.resolve("@pulumi/pulumi/cmd/run", { paths: [project.cwd, __dirname] });
  const flags = [
    `--monitor=${address}`,
    `--engine=${address}`,
    `--project=${project.name}`,
    `--stack=${args.stack}`,
    "--organization=organization",
    `--root-directory=${project.root}`,
    `--pwd=${project.cwd}`,
    `--parallel=${args.parallel}`,
    ...(args.dryRun ? ["--dry-run"] : []),
  ];
  const child = spawn(process.execPath, [...project.nodeArgs, runner, ...flags, project.program], {
    cwd: project.cwd,
    env: {
      ...args.env,
      ...configEnvironment(args.config),
      PULUMI_NODEJS_TYPESCRIPT: String(project.typescript),
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a terminal's Ctrl-C is for the engine, which then decides
  });
  const heard = Promise.all([
    relay(child.stdout, (line) => args.report.diagnostic("info", line, args.stackUrn)),
    relay(child.stderr, (line) => args.report.diagnostic("info#err", line, args.stackUrn)),
  ]);
  return { exited: exitOf(child, heard), stop: () => stop(child) };
}

function configEnvironment(config: Config): Record<string, string> {
  const entries = Object.entries(config);
  return {
    PULUMI_CONFIG: JSON.stringify(
      Object.fromEntries(entries.map(([key, one]) => [key, one.value])),
    ),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(
      entries.filter(([, one]) => one.secret === true).map(([key]) => key),
    ),
  };
}

function relay(stream: NodeJS.ReadableStream, tell: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream, crlfDelay: Infinity });
    lines.on("line", tell);
    lines.on("close", resolve);
  });
}

// What the program started may hold its pipes for ever: its exit counts, not theirs.
async function exitOf(child: ChildProcess, heard: Promise<unknown>): Promise<number | null> {
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", resolve);
  });
  const patience = new Promise((resolve) => setTimeout(resolve, 200).unref());
  await Promise.race([heard, patience]);
  return code;
}

function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  child.once("exit", () => clearTimeout(timer));
}
