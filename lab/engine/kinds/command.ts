/**
 * command.local.Command 1.2.1: a shell line run on create, update and delete.
 *
 * As the real provider: any change of inputs runs `update ?? create`, a change of `triggers`
 * replaces, a failed command leaves no trace, and a cancel kills the direct child only and then
 * waits for everyone who holds its pipes.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { Act, Kind, Live } from "./kind";
import { Props, differences, isObject, rootOf } from "../values";

// Kills the child when the engine dies, even by SIGKILL. setpriv replaces itself by the command, so
// the command stays the engine's direct child. Without it a killed engine leaves its child behind.
const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));

export const localCommand: Kind = {
  secrets: [],
  secretnessCounts: true,
  check(inputs) {
    const unsupported = ["assetPaths", "archivePaths"].filter((key) => inputs[key] !== undefined);
    if (unsupported.length > 0) {
      throw new Error(`the lab engine's Command has no ${unsupported.join(", ")}`);
    }
    return inputs;
  },
  diff(before, after) {
    const detailed = differences(before, after);
    const reasons = [...new Set([...detailed.keys()].map(rootOf))].sort();
    return { reasons, replace: reasons.filter((key) => key === "triggers"), detailed };
  },
  plan: (inputs) => inputs,
  async create(inputs, act) {
    const outputs = await runIfAny(inputs.create, inputs, {}, act);
    return { id: `${act.name}${randomBytes(4).toString("hex")}`, outputs };
  },
  update: (live, inputs, act) =>
    runIfAny(inputs.update ?? inputs.create, inputs, live.outputs, act),
  async delete(live: Live, act) {
    await runIfAny(live.outputs.delete ?? live.inputs.delete, live.inputs, live.outputs, act);
  },
};

async function runIfAny(line: unknown, inputs: Props, before: Props, act: Act): Promise<Props> {
  if (typeof line !== "string") {
    return { ...inputs, stdout: text(before.stdout), stderr: text(before.stderr) };
  }
  const { stdout, stderr } = await run(line, inputs, before, act);
  return { ...inputs, stdout: trimEnd(stdout), stderr: trimEnd(stderr) };
}

function run(
  line: string,
  inputs: Props,
  before: Props,
  act: Act,
): Promise<{ stdout: string; stderr: string }> {
  const shell = Array.isArray(inputs.interpreter) ? inputs.interpreter.map(String) : [];
  const argv = [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), line];
  const guarded = SETPRIV === undefined ? argv : [SETPRIV, "--pdeathsig", "KILL", "--", ...argv];
  return new Promise((resolve, reject) => {
    const [program = "/bin/sh", ...rest] = guarded;
    const child = spawn(program, rest, {
      cwd: typeof inputs.dir === "string" ? inputs.dir : act.cwd,
      env: environmentOf(inputs, before, act),
      detached: true, // a terminal's Ctrl-C is for the engine, which then decides
      stdio: ["pipe", "pipe", "pipe"],
    });
    const kill = (): void => void child.kill("SIGKILL");
    act.signal.addEventListener("abort", kill, { once: true });
    if (act.signal.aborted) kill();
    const output = collect(child.stdout, child.stderr, inputs.logging, act.log);
    child.stdin.on("error", () => undefined); // a command need not read its input
    child.stdin.end(text(inputs.stdin));
    child.on("error", (error) => {
      act.signal.removeEventListener("abort", kill);
      reject(new Error(`${error.message}: running ${quote(line)}:\n`));
    });
    child.on("close", (code, signal) => {
      act.signal.removeEventListener("abort", kill);
      if (code === 0) return resolve(output);
      const how = signal === null ? `exit status ${String(code)}` : signalText(signal);
      reject(new Error(`${how}: running ${quote(line)}:\n${output.both}`));
    });
  });
}

function collect(
  stdout: NodeJS.ReadableStream,
  stderr: NodeJS.ReadableStream,
  logging: unknown,
  log: (message: string) => void,
): { stdout: string; stderr: string; both: string } {
  const output = { stdout: "", stderr: "", both: "" };
  const take = (name: "stdout" | "stderr", stream: NodeJS.ReadableStream): void => {
    const shown = logging === undefined || logging === "stdoutAndStderr" || logging === name;
    stream.setEncoding("utf8");
    stream.on("data", (part: string) => {
      output[name] += part;
      output.both += part;
      if (shown) log(trimEnd(part));
    });
  };
  take("stdout", stdout);
  take("stderr", stderr);
  return output;
}

function environmentOf(inputs: Props, before: Props, act: Act): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...act.env };
  if (isObject(inputs.environment)) {
    for (const [key, value] of Object.entries(inputs.environment)) env[key] = text(value);
  }
  if (inputs.addPreviousOutputInEnv !== false) {
    if (text(before.stdout) !== "") env.PULUMI_COMMAND_STDOUT = text(before.stdout);
    if (text(before.stderr) !== "") env.PULUMI_COMMAND_STDERR = text(before.stderr);
  }
  return env;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "" : String(value);
}

function trimEnd(value: string): string {
  return value.endsWith("\n") ? value.slice(0, -1) : value;
}

// Go's %q and JSON agree on everything a shell line holds in practice.
function quote(line: string): string {
  return JSON.stringify(line);
}

function signalText(signal: NodeJS.Signals): string {
  const names: Partial<Record<NodeJS.Signals, string>> = {
    SIGKILL: "killed",
    SIGTERM: "terminated",
    SIGINT: "interrupt",
    SIGHUP: "hangup",
  };
  return `signal: ${names[signal] ?? signal.toLowerCase()}`;
}
