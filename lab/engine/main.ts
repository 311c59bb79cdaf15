/**
 * The lab engine as a command, with the words of the Pulumi CLI. A bench: its first line says so.
 *
 * One Ctrl-C is one SIGINT for the run (commands are killed, the state is written); a second one
 * ends the process at once and leaves the lock and the pending operations, as a crash does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import type { Checkpoint, Engine, EngineEvent, RunOptions, RunResult } from "./engine";
import { openEngine } from "./engine";
import { resourceLine, withPrefix } from "./text";

interface Where {
  readonly cwd: string;
  readonly stack: string;
  readonly state: string;
  readonly json?: boolean;
}

// A reader that goes away (`| head`) must not end an update in the middle.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const program = new Command("lab-engine").description(
  "Runs a Pulumi Node program on the lab engine: a bench, not the Pulumi CLI.",
);

for (const verb of ["up", "preview", "refresh", "destroy"] as const) {
  located(program.command(verb))
    .option("--json", "preview: the JSON of `pulumi preview --json`")
    .option("-y, --yes", "accepted for the sake of old habits: nothing is asked")
    .option("-f, --skip-preview", "accepted too: there is no preview before an update")
    .action((where: Where) => run(verb, where));
}

const stack = program.command("stack");
located(stack.command("export"))
  .option("--file <path>", "where to write it; standard output when missing")
  .action(async (where: Where & { file?: string }) => {
    const text = JSON.stringify(await (await open(where)).exportStack(), undefined, 1);
    if (where.file === undefined) print(text);
    else writeFileSync(where.file, `${text}\n`, { mode: 0o600 });
  });
located(stack.command("init [name]")).action(async (_name: string | undefined, where: Where) => {
  await open(where); // a stack is made by its first use
});
located(stack.command("import"))
  .option("--file <path>", "the deployment; standard input when missing")
  .action(async (where: Where & { file?: string }) => {
    const text = await readFile(where.file ?? "/dev/stdin", "utf8");
    await (await open(where)).importStack(JSON.parse(text) as Checkpoint);
  });
located(stack.command("output")).action(async (where: Where) => {
  print(JSON.stringify(await (await open(where)).outputs(), undefined, 1));
});

const config = program.command("config");
located(config.command("set <key> [value]"))
  .option("--secret", "keep it out of previews and logs")
  .action(async (key: string, value: string | undefined, where: Where & { secret?: boolean }) => {
    // As the CLI does it: what is not given comes on standard input, without the last line's end.
    const given = value ?? readFileSync(0, "utf8").replace(/\r?\n$/, "");
    await (await open(where)).setConfig(key, given, { secret: where.secret === true });
  });
located(config.command("get <key>")).action(async (key: string, where: Where) => {
  const value = await (await open(where)).getConfig(key);
  if (value === undefined) throw new Error(`configuration key '${key}' not found`);
  print(value);
});
located(config.command("rm <key>")).action(async (key: string, where: Where) => {
  await (await open(where)).removeConfig(key);
});
located(program.command("cancel"))
  .option("-y, --yes", "accepted: nothing is asked")
  .action(async (where: Where) => (await open(where)).cancel());

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

function located(command: Command): Command {
  // Without them the CLI's own variables count.
  const { PULUMI_STACK: stack, PULUMI_BACKEND_URL: backend } = process.env;
  const state = backend?.startsWith("file:") === true ? fileURLToPath(backend) : undefined;
  return command
    .requiredOption("--cwd <folder>", "the folder of Pulumi.yaml", ".")
    .requiredOption("--stack <name>", "the stack", stack)
    .requiredOption("--state <folder>", "the folder of the state", state);
}

// The first line goes to standard error where standard output is data for a machine.
async function open(where: Where, tell: NodeJS.WritableStream = process.stderr): Promise<Engine> {
  const args = { projectDir: where.cwd, stack: where.stack, stateDir: where.state };
  const engine = await openEngine({ ...args, force: "lab" });
  tell.write(`${engine.banner}\n`);
  return engine;
}

async function run(verb: "up" | "preview" | "refresh" | "destroy", where: Where): Promise<void> {
  const json = where.json === true && verb === "preview";
  const engine = await open(where, json ? process.stderr : process.stdout);
  const options = { signal: interruptible(), ...(json ? {} : { onEvent: show }) };
  const result = json ? await digest(engine, options) : await engine[verb](options);
  const summary = result.stdout.lastIndexOf("\nResources:");
  if (!json && summary >= 0) print(result.stdout.slice(summary));
  process.exitCode = result.exitCode;
}

async function digest(engine: Engine, options: RunOptions): Promise<RunResult> {
  const result = await engine.preview(options);
  print(JSON.stringify(result.digest, undefined, 1));
  return result;
}

function show(event: EngineEvent): void {
  if (event.kind === "diagnostic") print(withPrefix(event.diagnostic));
  else if (event.kind === "done" && event.step.op !== "same") {
    const { urn, op, ok, startedAt, endedAt } = event.step;
    const seconds = (endedAt - startedAt) / 1000;
    print(resourceLine({ urn, op, changed: [], at: ok ? "end" : "failure", seconds }));
  }
}

function interruptible(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller.signal;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
