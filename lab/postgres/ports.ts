/** Free ports for the lab: asked of the system, never fixed. */
import { createServer } from "node:net";

/** A TCP port that is free right now on every one of `hosts`. */
export async function freePort(hosts: readonly string[]): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const [first, ...others] = hosts;
    const port = await listenOnce(first ?? "127.0.0.1", 0);
    const free = await Promise.all(others.map((host) => isFree(host, port)));
    if (port !== undefined && free.every(Boolean)) return port;
  }
  throw new Error(`no port is free on all of ${hosts.join(", ")}`);
}

async function isFree(host: string, port: number | undefined): Promise<boolean> {
  return port !== undefined && (await listenOnce(host, port)) === port;
}

function listenOnce(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}
