import { createSocket } from "node:dgram";
import { decode, encode, RECURSION_DESIRED, type Answer } from "dns-packet";

/** Where the authoritative server listens. */
export interface NameServer {
  readonly address: string;
  readonly port: number;
}

const MAX_HOPS = 8;

/**
 * Asks the authoritative server, by UDP, for the IPv4 address behind `name`, following CNAMEs.
 * Nothing is cached: the ledger wants to see a flip in the moment it is answered.
 * @throws if there is no answer within `timeoutMs`, or none that leads to an address.
 */
export async function resolveAt(
  server: NameServer,
  name: string,
  timeoutMs = 500,
): Promise<string> {
  let target = name.toLowerCase();
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const answers = await ask(server, target, timeoutMs);
    const step = follow(answers, target);
    if (step.address !== undefined) return step.address;
    if (step.target === target) break;
    target = step.target;
  }
  throw new Error(`${name}: no address at ${server.address}:${server.port}`);
}

/** Walks the aliases of one answer as far as they lead. */
function follow(answers: readonly Answer[], start: string): { target: string; address?: string } {
  let target = start;
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const here = answers.filter((answer) => answer.name.toLowerCase() === target);
    const address = here.find((answer) => answer.type === "A");
    if (address?.type === "A") return { target, address: address.data };
    const alias = here.find((answer) => answer.type === "CNAME");
    if (alias?.type !== "CNAME") break;
    target = alias.data.toLowerCase();
  }
  return { target };
}

function ask(server: NameServer, name: string, timeoutMs: number): Promise<readonly Answer[]> {
  const id = Math.floor(Math.random() * 65_536);
  const query = encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ type: "A", name }],
  });
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.address.includes(":") ? "udp6" : "udp4");
    const end = (act: () => void): void => {
      clearTimeout(timer);
      socket.close();
      act();
    };
    const timer = setTimeout(() => {
      end(() => {
        reject(new Error(`${name}: no answer from ${server.address} within ${timeoutMs} ms`));
      });
    }, timeoutMs);
    socket.on("error", (error) => {
      end(() => {
        reject(error);
      });
    });
    socket.on("message", (bytes) => {
      const packet = decode(bytes);
      if (packet.id !== id) return;
      end(() => {
        resolve(packet.answers ?? []);
      });
    });
    socket.send(query, server.port, server.address);
  });
}
