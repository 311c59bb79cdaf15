import { createServer, connect, type Server, type Socket } from "node:net";

/** One direction between the two sites as a TCP relay that can be cut or held up. */
export class Link {
  #state: "open" | "cut" | "stalled" = "open";
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(private readonly server: Server) {}

  /** Listens at `address` and leads to the same port at `target`. Rejects when the port is taken there. */
  static async open(address: string, target: string, port: number): Promise<Link> {
    const server = createServer({ pauseOnConnect: true });
    const link = new Link(server);
    server.on("connection", (inner) => {
      link.#relay(inner, target, port);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, address, resolve);
    });
    server.unref();
    return link;
  }

  /** Connections break and new ones are dropped. */
  cut(): void {
    this.#state = "cut";
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Connections stay and carry nothing, as behind a router that has died. */
  stall(): void {
    this.#state = "stalled";
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Back to normal. */
  mend(): void {
    this.#state = "open";
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }

  #relay(inner: Socket, target: string, port: number): void {
    inner.on("error", () => undefined);
    if (this.#state === "cut") {
      inner.destroy();
      return;
    }
    const outer = connect({ host: target, port, noDelay: true });
    const pair = [inner, outer] as const;
    this.#pairs.add(pair);
    inner.setNoDelay(true);
    for (const [from, to] of [pair, [outer, inner] as const]) {
      from.on("error", () => undefined);
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
      from.pipe(to);
    }
    if (this.#state === "stalled") for (const socket of pair) socket.pause();
  }
}
