/**
 * Runs verbs as the product does: lib + verb + call on the stdin of `sh`, under `timeout`, as the
 * owner of the data. Two sites on loopback; site b is seeded by the verbs themselves.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, temporaryFolder } from "./postgres/cluster";
import { freePort } from "./postgres/ports";
import { clusterOwner, isDebians, ownedFolder } from "./postgres/programs";
import { scriptText } from "../plan/scripts";
import { loadScripts } from "../sites/scripts";

export type Input = Readonly<Record<string, string | number>>;
export type SiteId = "a" | "b";

export interface Outcome {
  readonly code: number | null;
  readonly facts: Readonly<Record<string, string>>;
  readonly stderr: string;
  readonly ms: number;
}

export interface CallOptions {
  /** Kills the verb at this `checkpoint`. */
  readonly failAt?: string;
  readonly bound?: number;
  /** Variables that the account's login files would set. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A password that every quoting mistake stumbles over. */
export const password = `p'w"$\`x\\y:z #%&*!`;
const scripts = loadScripts();

export class Pair {
  fakeFolders = 0;
  /** What stands in front of each command at a site, as root: a namespace, for one. */
  readonly entrances: Partial<Record<SiteId, readonly string[]>> = {};
  private run = 0;
  private constructor(
    readonly folder: string,
    readonly a: Cluster,
    readonly b: Cluster,
  ) {}

  /** Site a with data and running; b empty. */
  static async create(): Promise<Pair> {
    const folder = temporaryFolder("sb-");
    const port = await freePort(["127.0.0.2", "127.0.0.3"]);
    const dir = (site: string) => join(folder, site);
    const a = await Cluster.create({ dir: dir("a"), site: "a", host: "127.0.0.2", port });
    const b = new Cluster({ dir: dir("b"), site: "b", host: "127.0.0.3", port });
    await a.start();
    return new Pair(folder, a, b);
  }

  /** A pair that streams, made by prepare, seed and settle in epoch 1. `settings` need a restart and hold at both. */
  static async streaming(settings: Readonly<Record<string, string>> = {}): Promise<Pair> {
    const pair = await Pair.create();
    for (const [key, value] of Object.entries(settings)) {
      await pair.a.query(`alter system set ${key} = '${value}'`);
    }
    if (Object.keys(settings).length > 0) {
      await pair.a.stop();
      await pair.a.start();
    }
    await pair.begin();
    return pair;
  }

  /** Epoch 1: site b is seeded and streams. */
  async begin(): Promise<void> {
    const epoch = this.epoch(1, "b", "a", "initial");
    await this.holds("a", "prepare", { value: "hash-a", password });
    await this.holds("b", "prepare", { value: "hash-b", password });
    await this.holds("a", "promote", { value: "initial", ...epoch });
    await this.holds("b", "seed", { ...epoch, password });
    await this.holds("a", "settle", epoch);
    await this.holds("b", "settle", epoch);
  }

  site(id: SiteId): Cluster {
    return id === "a" ? this.a : this.b;
  }

  /** Input lines of a transition, with a run id of its own. */
  epoch(epoch: number, from: SiteId, to: SiteId, kind: string): Record<string, string> {
    this.run += 1;
    return { epoch: String(epoch), from, to, kind, run: `${this.run}-test` };
  }

  settings(id: SiteId): Input {
    const site = this.site(id);
    const peer = this.site(id === "a" ? "b" : "a");
    return {
      name: "shop",
      site: id,
      peer: peer.site,
      state: site.stateDirectory,
      data: site.dataDirectory,
      port: site.port,
      superuser: site.superuser,
      socket: site.socketDirectory,
      host: site.host,
      peer_host: peer.host,
      peer_port: peer.port,
      replication_user: "standby_replicator",
      stop_bound: 4,
      step_bound: 20,
      lock_wait: 2,
      ...(isDebians(site.bindir) ? {} : { bindir: site.bindir }),
    };
  }

  /** Runs one verb and gives what it said. */
  verb(id: SiteId, verb: string, input: Input = {}, options: CallOptions = {}): Promise<Outcome> {
    const text = compose(verb, { ...this.settings(id), ...input });
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: ownedFolder(join(this.folder, id, "home")),
      ...(options.failAt === undefined ? {} : { FAIL_AT: options.failAt }),
      ...options.env,
    };
    return runScript(text, env, options.bound ?? 50, this.entrances[id]);
  }

  /** Runs one verb that must hold; fails with its talk when it does not. */
  async holds(id: SiteId, verb: string, input: Input = {}): Promise<Outcome> {
    const outcome = await this.verb(id, verb, input);
    if (outcome.code !== 0) {
      throw new Error(`${verb} ${id} ended ${outcome.code}:\n${outcome.stderr}\n${this.logs()}`);
    }
    return outcome;
  }

  /** One whole switchover by verbs, as the plan orders them. Gives the facts of the hand-over. */
  async switchover(from: SiteId, to: SiteId, epoch: number): Promise<Outcome[]> {
    const lines = this.epoch(epoch, from, to, "switchover");
    const source = await this.holds(from, "preflight", { value: "source" });
    const lsn = source.facts["lsn"] ?? "";
    await this.holds(to, "preflight", { value: "target", value_lsn: lsn });
    const fence = await this.holds(from, "fence", { value: "stop", ...lines });
    const token = fence.facts["token"] ?? "";
    await this.holds(from, "fenced", { ...lines, token });
    const verify = await this.holds(to, "verify", { value: "token", ...lines, token });
    const promote = await this.holds(to, "promote", { value: "permit", ...lines });
    const rejoin = await this.holds(from, "rejoin", { value: "rejoin", ...lines });
    await this.holds(to, "settle", lines);
    await this.holds(from, "settle", lines);
    return [fence, verify, promote, rejoin];
  }

  async observe(id: SiteId): Promise<Readonly<Record<string, string>>> {
    return (await this.holds(id, "observe")).facts;
  }

  /** How many of the two servers accept writes right now. */
  async writers(): Promise<number> {
    const answers = await Promise.all([this.a, this.b].map(acceptsWrites));
    return answers.filter(Boolean).length;
  }

  logs(): string {
    return (["a", "b"] as const)
      .map((id) => join(this.folder, id, "state/log/server.log"))
      .filter((file) => existsSync(file))
      .map((file) => `${file}:\n${readFileSync(file, "utf8").split("\n").slice(-12).join("\n")}`)
      .join("\n");
  }

  async close(): Promise<void> {
    await this.a.kill();
    await this.b.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function acceptsWrites(cluster: Cluster): Promise<boolean> {
  if (cluster.pid() === undefined) return false;
  const rows = await cluster
    .query<{ writable: boolean }>("select not pg_is_in_recovery() as writable")
    .catch(() => []);
  return rows[0]?.writable === true;
}

function compose(verb: string, input: Input): string {
  const lib = scriptText(scripts, "lib");
  const body = scriptText(scripts, `postgres/${verb}`);
  const lines = Object.entries(input).map(([key, value]) => `${key}=${value}`);
  return `${lib}${body}main <<'STANDBY_INPUT'\n${lines.join("\n")}\nSTANDBY_INPUT\n`;
}

/** stdout and stderr go to files: a server that a verb starts must not hold a pipe of ours. */
function runScript(
  text: string,
  env: NodeJS.ProcessEnv,
  bound: number,
  entrance?: readonly string[],
): Promise<Outcome> {
  const folder = temporaryFolder("sb-call-");
  const line = `timeout -k 2 ${bound} sh -s >"${folder}/out" 2>"${folder}/err"`;
  const started = Date.now();
  return new Promise((resolve, reject) => {
    const words = [...(entrance ?? []), "sh", "-c", line];
    const child = spawn(words[0] ?? "sh", words.slice(1), {
      ...(entrance === undefined ? clusterOwner() : {}),
      cwd: "/",
      env: { ...env, STANDBY_UNITS: "none" },
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.once("error", reject);
    child.stdin.once("error", () => undefined);
    child.once("close", (code) => {
      const stdout = readFileSync(join(folder, "out"), "utf8");
      const stderr = readFileSync(join(folder, "err"), "utf8");
      rmSync(folder, { recursive: true });
      resolve({ code, facts: factsOf(stdout), stderr, ms: Date.now() - started });
    });
    child.stdin.end(text);
  });
}

function factsOf(stdout: string): Record<string, string> {
  const pairs = stdout.split("\n").filter((line) => line !== "");
  for (const line of pairs) {
    if (!/^[a-z][A-Za-z0-9_.]*=[A-Za-z0-9._:/=,+-]*$/.test(line)) {
      throw new Error(`not a fact: ${line}`);
    }
  }
  return Object.fromEntries(pairs.map((line) => [line.split("=", 1)[0] ?? "", valueOf(line)]));
}

function valueOf(line: string): string {
  return line.slice(line.indexOf("=") + 1);
}

/** Files of a site's state folder, for checks that nothing changed. */
export function stateOf(cluster: Cluster): Record<string, string> {
  const files = ["record", "run", "promoted", "permit", "token", "settled"];
  const present = readdirSync(cluster.stateDirectory).filter((file) => files.includes(file));
  return Object.fromEntries(
    present.map((file) => [file, readFileSync(join(cluster.stateDirectory, file), "utf8").trim()]),
  );
}

/** Puts a text into a site's state folder, as an older life of the site could have left it. */
export function leave(cluster: Cluster, file: string, text: string): void {
  writeFileSync(join(cluster.stateDirectory, file), `${text}\n`);
}

/** Programs of the server with some replaced: their text runs in the place of the real one, which is `"$real"`. */
export function fakePrograms(pair: Pair, programs: Readonly<Record<string, string>>): string {
  pair.fakeFolders += 1;
  const folder = ownedFolder(join(pair.folder, `fakes-${pair.fakeFolders}`));
  for (const program of readdirSync(pair.a.bindir)) {
    const real = join(pair.a.bindir, program);
    const fake = programs[program];
    if (fake === undefined) symlinkSync(real, join(folder, program));
    else
      writeFileSync(join(folder, program), `#!/bin/sh\nreal=${real}\n${fake}\n`, { mode: 0o755 });
  }
  return folder;
}
