/**
 * The files of one stack: its checkpoint, its config and its locks. Everything is 0600 in 0700
 * folders, because secrets are in plain text, and is replaced atomically.
 */
import { createHash, randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { readFile, readdir, rm } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import * as path from "node:path";
import { Checkpoint, ResourceState } from "./engine";

// How the checkpoint's text ends behind its last resource.
const END = "]}}";

/** A config value of a stack. */
export interface ConfigValue {
  readonly value: string;
  readonly secret?: boolean;
}

/** Config by full key, such as `fixture:activeSite`. */
export type Config = Readonly<Record<string, ConfigValue>>;

/** Somebody else works on the stack; the message says who. */
export class Locked extends Error {}

export class Store {
  readonly #checkpoint: string;
  readonly #config: string;
  readonly #locks: string;
  readonly #bytes = new WeakMap<ResourceState, Buffer>();

  constructor(stateDir: string, project: string, stack: string) {
    this.#checkpoint = path.join(stateDir, "stacks", project, `${stack}.json`);
    this.#config = path.join(stateDir, "config", project, `${stack}.json`);
    this.#locks = path.join(stateDir, "locks", "organization", project, stack);
  }

  async load(): Promise<Checkpoint | undefined> {
    const text = await readIfThere(this.#checkpoint);
    return text === undefined ? undefined : (JSON.parse(text) as Checkpoint);
  }

  /**
   * Writes the checkpoint: whole or not at all when this process is killed. As with the real file backend a power loss of the
   * runner may take the last writes back, for nothing is synced.
   */
  save({ version, deployment }: Checkpoint): void {
    const { resources = [], ...rest } = deployment;
    const text = JSON.stringify({ version, deployment: { ...rest, resources: [] } });
    const [first, ...more] = resources.map((resource) => this.#bytesOf(resource));
    const head = Buffer.from(text.slice(0, -END.length));
    const parts = first === undefined ? [head] : [head, first.subarray(1), ...more];
    replaceFile(this.#checkpoint, [...parts, Buffer.from(END)]);
  }

  // With the comma in front. A step of an update changes one resource of all, and is written twice inside an outage.
  #bytesOf(resource: ResourceState): Buffer {
    const known = this.#bytes.get(resource) ?? Buffer.from(`,${JSON.stringify(resource)}`);
    this.#bytes.set(resource, known);
    return known;
  }

  async config(): Promise<Config> {
    const text = await readIfThere(this.#config);
    return text === undefined ? {} : (JSON.parse(text) as Config);
  }

  saveConfig(config: Config): void {
    replaceFile(this.#config, JSON.stringify(config, undefined, 1));
  }

  /**
   * Takes the stack's lock. Two that come at once both give up, as with the real file backend.
   *
   * @returns what gives it back
   * @throws Locked naming the holder
   */
  async lock(): Promise<() => Promise<void>> {
    const file = path.join(this.#locks, `${randomUUID()}.json`);
    await this.#refuseIfHeld(file);
    const holder = { pid: process.pid, user: userName(), host: hostname(), time: new Date() };
    replaceFile(file, JSON.stringify({ ...holder, time: holder.time.toISOString() }));
    try {
      await this.#refuseIfHeld(file);
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    }
    return () => rm(file, { force: true });
  }

  /** Removes every lock, whoever holds it. */
  async breakLocks(): Promise<void> {
    await rm(this.#locks, { recursive: true, force: true });
  }

  async #refuseIfHeld(own: string): Promise<void> {
    const names = await readdir(this.#locks).catch(() => []);
    const others = names.map((name) => path.join(this.#locks, name)).filter(isLock(own));
    if (others.length === 0) return;
    const lines = await Promise.all(others.map(describeLock));
    throw new Locked(
      `the stack is currently locked by ${others.length} lock(s). Either wait for the other ` +
        "process(es) to end or delete the lock file with `pulumi cancel`.\n" +
        lines.join("\n"),
    );
  }
}

function isLock(own: string): (file: string) => boolean {
  return (file) => file !== own && file.endsWith(".json");
}

async function describeLock(file: string): Promise<string> {
  const text = (await readIfThere(file)) ?? "{}";
  const lock = JSON.parse(text) as { pid?: number; user?: string; host?: string; time?: string };
  return `  file://${file}: created by ${lock.user}@${lock.host} (pid ${lock.pid}) at ${lock.time}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown"); // a user without an entry in passwd
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function replaceFile(file: string, content: string | readonly Buffer[]): void {
  const temporary = `${file}.${process.pid}.tmp`;
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const parts = typeof content === "string" ? [content] : content;
  const descriptor = openSync(temporary, "w", 0o600);
  try {
    for (const part of parts) writeFileSync(descriptor, part);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}

/** What the real engine puts into a checkpoint's head; the hash is over time and version. */
export function manifestOf(version: string): { time: string; magic: string; version: string } {
  const magic = createHash("sha256").update(version).digest("hex");
  return { time: new Date().toISOString(), magic, version: `v${version}` };
}
