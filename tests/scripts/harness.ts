/** Runs verbs as the product does, on a pair of real clusters; see lab/pair.ts. */
import { Client } from "pg";
import type { Cluster } from "../../lab/postgres/cluster";

export * from "../../lab/pair";

/** The rows of `t(id, v)` at a site. */
export const rowsAt = (site: Cluster) =>
  site.query<{ id: number; v: string }>("select id, v from t order by id");

/** A connection of its own, which may lose its server while it works. */
export async function clientAt(
  { socketDirectory: host, port, superuser: user }: Cluster,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const client = new Client({ host, port, user, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  await work(client);
  await client.end().catch(() => undefined);
}
