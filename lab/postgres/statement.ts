import { Client } from "pg";

/** Where a statement goes: a folder of a socket or an address. */
export interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** One statement on a connection of its own; gives up after 5 s without one. */
export async function runStatement<Row extends Record<string, unknown>>(
  server: Server,
  sql: string,
  parameters: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ ...server, connectionTimeoutMillis: 5000 });
  // A server that ends under an open connection must not end the lab.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...parameters])).rows;
  } finally {
    await client.end();
  }
}
