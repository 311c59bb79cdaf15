import { readFileSync, writeFileSync } from "node:fs";
import { Client } from "pg";

/**
 * What the lab's application at one site reads from its settings file. The application is a stand-in
 * for the user's own: it retries its database for ever, never ends by itself, and keeps no connection
 * after an error.
 */
export interface AppSettings {
  readonly site: string;
  readonly host: string;
  readonly webPort: number;
  readonly database: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    /** @default none: the server trusts this user */
    readonly password?: string;
    readonly name: string;
  };
  /** While this file exists the web app answers 503. */
  readonly maintenanceFile: string;
}

export function readSettings(file: string | undefined): AppSettings {
  if (file === undefined) throw new Error("usage: PROGRAM SETTINGS.json");
  // The lab wrote this file itself a moment ago.
  return JSON.parse(readFileSync(file, "utf8")) as AppSettings;
}

/** Tells the service's health check that the program is up. */
export function markReady(file: string | undefined): void {
  if (file !== undefined) writeFileSync(file, "");
}

/** One connection to the site's own database, opened when needed and dropped at the first error. */
export class LocalDatabase {
  #client: Client | undefined;

  constructor(
    private readonly settings: AppSettings["database"],
    private readonly name: string,
  ) {}

  async query(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = this.#client ?? (await this.#connect());
    try {
      const result = await client.query<Record<string, unknown>>(text, [...values]);
      return result.rows;
    } catch (error) {
      this.#drop(client);
      throw error;
    }
  }

  async #connect(): Promise<Client> {
    const { host, port, user, password, name: database } = this.settings;
    const limits = { connectionTimeoutMillis: 1000, query_timeout: 1000 };
    const client = new Client({
      host,
      port,
      user,
      ...(password === undefined ? {} : { password }),
      database,
      application_name: this.name,
      ...limits,
    });
    client.on("error", () => {
      this.#drop(client);
    });
    try {
      await client.connect();
    } catch (error) {
      this.#drop(client);
      throw error;
    }
    this.#client = client;
    return client;
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = undefined;
    client.end().catch(() => undefined);
    client.connection.stream.destroy();
  }
}
