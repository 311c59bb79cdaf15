import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { resolveAt, type NameServer } from "./names";
import { judge, nowMs, type Operation } from "./operations";

/** How writers find and use the database. */
export interface WriterOptions {
  readonly dns: NameServer;
  /** The public name to resolve at each reconnect. */
  readonly name: string;
  /** Instead of the name: hosts that are tried in turn until one accepts writes, as libpq's target_session_attrs=read-write does. */
  readonly hosts?: readonly string[];
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
  /** Pause between writes, in milliseconds; between attempts to connect it is no less than {@link RETRY_MS}. */
  readonly delayMs: number;
}

/**
 * Each attempt starts a server process at the site that is about to be promoted. Made every 2 ms, as it once was, they took
 * half of a small machine from what they measure.
 */
export const RETRY_MS = 10;

const INSERT = {
  name: "ledger",
  text: "insert into ledger(writer, seq, site) values ($1, $2, $3) returning pg_is_in_recovery()",
};

/** One connection that writes numbered rows until it is stopped. Any error drops the connection. */
export class Writer {
  readonly operations: Operation[] = [];
  /** Attempts that ended before a write was sent. */
  connectFailures = 0;
  #seq = 0;
  #turn = 0;
  #busy = false;
  #stopped = false;
  #client: Client | undefined;
  #host = "";
  readonly #done: Promise<void>;

  constructor(
    readonly id: number,
    private readonly options: WriterOptions,
  ) {
    this.#done = this.#run();
  }

  /** Ends after the write in flight. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const client = this.#client ?? (await this.#connect());
      if (client !== undefined) await this.#write(client);
      const { delayMs } = this.options;
      await pause(client === undefined ? Math.max(delayMs, RETRY_MS) : delayMs);
    }
    this.#drop();
  }

  async #connect(): Promise<Client | undefined> {
    const { dns, name, port, user, password, database } = this.options;
    let client: Client | undefined;
    try {
      this.#host = await this.#nextHost(dns, name);
      const limits = { connectionTimeoutMillis: 1000, query_timeout: 1000 };
      const login = { user, ...(password === undefined ? {} : { password }) };
      const names = { ...login, database, application_name: `ledger_${this.id}` };
      const created = new Client({ host: this.#host, port, ...names, ...limits });
      client = created;
      // A connection that breaks while idle is dropped at once: nothing was in flight on it. (Without
      // a listener the error would end the whole process.)
      created.on("error", () => {
        if (this.#client === created && !this.#busy) this.#drop();
      });
      await created.connect();
      if (this.options.hosts !== undefined && !(await acceptsWrites(created)))
        throw new Error("read-only");
      this.#client = created;
      return created;
    } catch {
      this.connectFailures += 1;
      discard(client);
      return undefined;
    }
  }

  #nextHost(dns: NameServer, name: string): Promise<string> | string {
    const { hosts = [] } = this.options;
    this.#turn += 1;
    return hosts[this.#turn % hosts.length] ?? resolveAt(dns, name);
  }

  async #write(client: Client): Promise<void> {
    this.#seq += 1;
    this.#busy = true;
    const startMs = nowMs();
    const operation = { writer: this.id, seq: this.#seq, host: this.#host, startMs };
    try {
      await client.query({ ...INSERT, values: [this.id, this.#seq, this.#host] });
      this.operations.push({ ...operation, endMs: nowMs(), outcome: "acknowledged" });
    } catch (error) {
      this.operations.push({ ...operation, endMs: nowMs(), ...judge(error) });
      this.#drop();
    } finally {
      this.#busy = false;
    }
  }

  #drop(): void {
    discard(this.#client);
    this.#client = undefined;
  }
}

async function acceptsWrites(client: Client): Promise<boolean> {
  const answer = await client.query<{ standby: boolean }>("select pg_is_in_recovery() as standby");
  return answer.rows[0]?.standby === false;
}

/** Ends a connection without waiting for a server that may never answer. */
function discard(client: Client | undefined): void {
  if (client === undefined) return;
  client.end().catch(() => undefined);
  client.connection.stream.destroy();
}
