import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { nowMs } from "./ledger/operations";

/** A server to watch. */
export interface SampledServer {
  readonly site: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** @default none: the server trusts this user */
  readonly password?: string;
}

/** A stretch in which a server was seen writable: both ends are moments at which it said so itself. */
export interface WritableSpan {
  readonly site: string;
  readonly fromMs: number;
  readonly toMs: number;
}

interface Watch {
  readonly server: SampledServer;
  client?: Client | undefined;
  retryAtMs: number;
}

interface Answer {
  readonly watch: Watch;
  readonly writable: boolean | undefined;
  readonly atMs: number;
}

/**
 * Asks all servers every few milliseconds whether they accept writes, over connections that are kept.
 * It sees what clients could see; the proof is the ledger's own (no overlap of acknowledged writes).
 */
export class Sampler {
  /** Rounds in which at least one server answered. */
  samples = 0;
  /** Rounds in which two servers called themselves writable. Must be 0. */
  twoWriterSamples = 0;
  readonly spans: WritableSpan[] = [];
  readonly #lastSpan = new Map<string, number>();
  #stopped = false;
  readonly #watches: readonly Watch[];
  readonly #done: Promise<void>;

  private constructor(
    servers: readonly SampledServer[],
    private readonly everyMs: number,
  ) {
    this.#watches = servers.map((server) => ({ server, retryAtMs: 0 }));
    this.#done = this.#run();
  }

  /** @param everyMs pause between two rounds, in milliseconds */
  static start(servers: readonly SampledServer[], everyMs = 5): Sampler {
    return new Sampler(servers, everyMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    this.#watches.forEach(drop);
  }

  /** Sites that called themselves writable in a window. */
  writers(fromMs: number, toMs: number): readonly string[] {
    const touching = this.spans.filter((span) => span.toMs >= fromMs && span.fromMs <= toMs);
    return [...new Set(touching.map((span) => span.site))];
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const answers = await Promise.all(this.#watches.map((watch) => ask(watch)));
      const writable = answers.filter((answer) => answer.writable === true);
      if (answers.some((answer) => answer.writable !== undefined)) this.samples += 1;
      if (writable.length > 1 && (await this.#together(writable))) this.twoWriterSamples += 1;
      for (const answer of writable) this.#note(answer.watch.server.site, answer.atMs);
      await pause(this.everyMs);
    }
  }

  // Two answers of one round may lie far apart when one server is slow. They prove two writers if they
  // came together, or if the server that answered first still says so after the other's answer.
  async #together(writable: readonly Answer[]): Promise<boolean> {
    const [first, ...later] = [...writable].sort((one, two) => one.atMs - two.atMs);
    if (first === undefined) return false;
    if (later.some((answer) => answer.atMs - first.atMs <= this.everyMs)) return true;
    return (await ask(first.watch)).writable === true;
  }

  // Rounds that follow each other closely are one span.
  #note(site: string, atMs: number): void {
    const index = this.#lastSpan.get(site);
    const span = index === undefined ? undefined : this.spans[index];
    if (index !== undefined && span !== undefined && atMs - span.toMs < 20 * this.everyMs) {
      this.spans[index] = { ...span, toMs: atMs };
    } else {
      this.#lastSpan.set(site, this.spans.push({ site, fromMs: atMs, toMs: atMs }) - 1);
    }
  }
}

/** `writable` as the server says, undefined if it does not answer. */
async function ask(watch: Watch): Promise<Answer> {
  return { watch, writable: await writability(watch), atMs: nowMs() };
}

async function writability(watch: Watch): Promise<boolean | undefined> {
  try {
    const client = watch.client ?? (await connect(watch));
    if (client === undefined) return undefined;
    const result = await client.query<{ standby: boolean }>({
      name: "sample",
      text: "select pg_is_in_recovery() as standby",
    });
    return result.rows[0]?.standby === false;
  } catch {
    drop(watch);
    return undefined;
  }
}

// A server that is down refuses at once; asking it at every round would only cost processor time.
async function connect(watch: Watch): Promise<Client | undefined> {
  if (nowMs() < watch.retryAtMs) return undefined;
  watch.retryAtMs = nowMs() + 10;
  const { host, port, user, password } = watch.server;
  const client = new Client({
    host,
    port,
    user,
    ...(password === undefined ? {} : { password }),
    database: "postgres",
    connectionTimeoutMillis: 250,
    query_timeout: 250,
    application_name: "sampler",
  });
  client.on("error", () => {
    if (watch.client === client) drop(watch);
  });
  try {
    await client.connect();
  } catch (error) {
    discard(client);
    throw error;
  }
  watch.client = client;
  return client;
}

function drop(watch: Watch): void {
  discard(watch.client);
  watch.client = undefined;
}

function discard(client: Client | undefined): void {
  client?.end().catch(() => undefined);
  client?.connection.stream.destroy();
}
