import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../clock";
import type { AnswerKnobs } from "./answer";
import type { Directory } from "./directory";
import { type DnsQuery, readQuery, respond } from "./message";

/** What a name server works with; all of them share one port, one directory and one log. */
export interface DnsWorld {
  readonly clock: Clock;
  readonly knobs: AnswerKnobs;
  readonly directory: Directory;
  readonly queries: DnsQuery[];
}

interface Caller {
  readonly server: string;
  readonly client: string;
  readonly transport: "udp" | "tcp";
}

const queriesKept = 100_000;
const idleMs = 10_000;

/** Authoritative servers on several addresses of this host, UDP and TCP on the same port. */
export class DnsServers {
  readonly #world: DnsWorld;
  readonly #udp: UdpSocket[] = [];
  readonly #tcp: Server[] = [];
  readonly #connections = new Set<Socket>();

  constructor(world: DnsWorld) {
    this.#world = world;
  }

  /** Binds all addresses and gives the port; 0 lets the system choose one that is free on all of them. */
  async listen(addresses: readonly string[], port: number): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#bindAll(addresses, port);
      } catch (error) {
        await this.close();
        // The port the system gave us for the first socket may be taken for the second one.
        if (port !== 0 || attempt === 20 || !isTaken(error)) throw error;
      }
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const udp = this.#udp.splice(0).map((s) => new Promise<void>((done) => s.close(() => done())));
    const tcp = this.#tcp.splice(0).map((s) => new Promise<void>((done) => s.close(() => done())));
    await Promise.all([...udp, ...tcp]);
  }

  async #bindAll(addresses: readonly string[], wished: number): Promise<number> {
    let port = wished;
    for (const address of addresses) {
      port = await this.#bindUdp(address, port);
      await this.#bindTcp(address, port);
    }
    return port;
  }

  async #bindUdp(address: string, port: number): Promise<number> {
    const socket = createSocket("udp4");
    socket.on("message", (bytes, from) => {
      const caller = { server: address, client: from.address, transport: "udp" } as const;
      const response = this.#answer(bytes, caller);
      // A client that is gone by now is not an error of the server.
      if (response) socket.send(response, from.port, from.address, () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, address, resolve);
    });
    socket.on("error", () => undefined);
    this.#udp.push(socket);
    return socket.address().port;
  }

  async #bindTcp(address: string, port: number): Promise<void> {
    const server = createServer((socket) => this.#serve(socket, address));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, address, resolve);
    });
    this.#tcp.push(server);
  }

  #serve(socket: Socket, address: string): void {
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(idleMs, () => socket.destroy());
    const caller = {
      server: address,
      client: socket.remoteAddress ?? "",
      transport: "tcp",
    } as const;
    let waiting = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        const end = 2 + waiting.readUInt16BE(0);
        const response = this.#answer(waiting.subarray(2, end), caller);
        waiting = waiting.subarray(end);
        if (response) socket.write(framed(response));
      }
    });
  }

  #answer(bytes: Buffer, caller: Caller): Buffer | undefined {
    const view = this.#world.directory.view(caller.server);
    const query = readQuery(bytes);
    if (!query.ok) return view ? query.response : undefined;
    const { name, type } = query;
    const replied = view && respond(query, view, this.#world.knobs, caller.transport);
    const ms = this.#world.clock.now();
    const { queries } = this.#world;
    if (queries.length >= queriesKept) queries.splice(0, queriesKept / 2);
    queries.push({ ms, ...caller, name, type, rcode: replied?.rcode });
    return replied?.bytes;
  }
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function isTaken(error: unknown): boolean {
  // Not by class: under a test runner the error comes from another realm.
  return (error as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";
}
