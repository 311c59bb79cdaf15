/** What the engine's tests share: a project in a temporary folder, and a small DNS API. */
import { createServer } from "node:http";
import { AddressInfo } from "node:net";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { Checkpoint, Engine, ResourceState, openEngine } from "../../../lab/engine/engine";

const ROOT = path.resolve(__dirname, "../../..");
export const FIXTURES = path.join(ROOT, "tests/fixtures/engine");
const PULUMI_YAML = "name: bench\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n";

/** A project of its own, with its state. */
export interface Bench {
  readonly projectDir: string;
  readonly stateDir: string;
  open(env?: Readonly<Record<string, string>>, kind?: "lab" | "pulumi"): Promise<Engine>;
  /** Replaces the program. */
  write(source: string): void;
  remove(): void;
}

/** A project with this program, or a copy of a folder that has a Pulumi.yaml. */
export function bench(program: { source: string } | { folder: string }): Bench {
  const home = mkdtempSync(path.join(tmpdir(), "engine-"));
  const [projectDir, stateDir] = [path.join(home, "project"), path.join(home, "state")];
  mkdirSync(projectDir);
  symlinkSync(path.join(ROOT, "node_modules"), path.join(projectDir, "node_modules"));
  const write = (source: string): void =>
    writeFileSync(path.join(projectDir, "index.js"), PRELUDE + source);
  if ("folder" in program) copyProgram(program.folder, projectDir);
  else {
    writeFileSync(path.join(projectDir, "Pulumi.yaml"), PULUMI_YAML);
    writeFileSync(path.join(projectDir, "package.json"), '{"name":"bench","main":"index.js"}');
    write(program.source);
  }
  return {
    projectDir,
    stateDir,
    open: (env = {}, force = "lab") =>
      openEngine({ projectDir, stack: "dev", stateDir, env, force, passphrase: "bench" }),
    write,
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

const PRELUDE = `const pulumi = require("@pulumi/pulumi");
const { local } = require("@pulumi/command");
const random = require("@pulumi/random");
const cloudflare = require("@pulumi/cloudflare");
const config = new pulumi.Config();
`;

function copyProgram(folder: string, projectDir: string): void {
  for (const file of ["index.js", "package.json", "Pulumi.yaml"]) {
    cpSync(path.join(folder, file), path.join(projectDir, file));
  }
}

/**
 * `describe` for one engine: skipped where this machine has no Pulumi CLI, with the reason printed.
 * Synchronous, because jest wants to know the tests before it runs them.
 */
export function describeOn(kind: "lab" | "pulumi", what: string, body: () => void): void {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  if (kind === "lab" || folders.some((folder) => existsSync(path.join(folder, "pulumi")))) {
    describe(`${what} on ${kind}`, body);
    return;
  }
  process.stdout.write(`skipped: ${what} on pulumi (no pulumi on PATH)\n`);
  describe.skip(`${what} on pulumi (skipped: no pulumi on PATH)`, body);
}

/** A DNS API that answers as the recorded one did, and writes down what it was asked. */
export interface Api {
  readonly baseUrl: string;
  /** `METHOD path body`, with the record's id replaced by `ID`. Emptied by `take`. */
  take(): readonly string[];
  readonly records: Map<string, Record<string, unknown>>;
  /** Status codes for the next requests, instead of an answer. */
  readonly failures: number[];
  close(): Promise<void>;
}

export async function startApi(): Promise<Api> {
  const records = new Map<string, Record<string, unknown>>();
  const failures: number[] = [];
  const log: string[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      const url = request.url ?? "";
      log.push(`${request.method} ${url.replace(/[0-9]{32}$/, "ID")} ${text}`.trimEnd());
      const failure = failures.shift();
      const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
      const id = request.method === "POST" ? String(++count).padStart(32, "0") : idOf(url);
      const known = request.method === "POST" || records.has(id);
      response.statusCode = failure ?? (known ? 200 : 404);
      response.setHeader("content-type", "application/json");
      if (failure !== undefined) response.setHeader("retry-after", "0");
      if (response.statusCode !== 200) return void response.end(refusal(response.statusCode));
      if (request.method === "DELETE") records.delete(id);
      else if (request.method !== "GET") records.set(id, recordOf(id, body, records.get(id)));
      response.end(
        JSON.stringify({ success: true, errors: [], result: records.get(id) ?? { id } }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`,
    take: () => log.splice(0, log.length),
    records,
    failures,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function idOf(url: string): string {
  return url.split("/").pop() ?? "";
}

function refusal(status: number): string {
  const code = status === 404 ? 81044 : 10000;
  return JSON.stringify({ success: false, errors: [{ code, message: "no" }], result: null });
}

function recordOf(
  id: string,
  body: Record<string, unknown>,
  old: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const now = new Date().toISOString();
  const empty = body.type === "CNAME" ? false : null;
  const settings = { flatten_cname: empty, ipv4_only: empty, ipv6_only: empty };
  const fixed = { meta: {}, proxiable: false, tags: [], settings };
  return { created_on: old?.created_on ?? now, ...body, ...fixed, id, modified_on: now };
}

/** The resource of this name. */
export function named(checkpoint: Checkpoint, name: string): ResourceState {
  const found = checkpoint.deployment.resources?.find((state) => state.urn.endsWith(`::${name}`));
  if (found === undefined) throw new Error(`${name} is not in the state`);
  return found;
}

/** Waits for something to become true, at most this long. */
export async function until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
