import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type DecodedPacket, decode, encode, type RecordType, streamDecode } from "dns-packet";
import type { CloudflareLab } from "../../lab/cloudflare";
import { lab } from "./client";

/** A response with the facts tests look at. */
export interface Resolved {
  rcode: number;
  aa: boolean;
  tc: boolean;
  /** `owner ttl TYPE data`, one per answer. */
  answers: string[];
  /** Types and names in the authority section. */
  authorities: string[];
  serial: number | undefined;
}

/** One UDP query; rejects after `boundMs` without an answer. */
export async function udp(
  on: CloudflareLab,
  name: string,
  type: string,
  options: { server?: string; edns?: number; boundMs?: number } = {},
): Promise<Resolved> {
  const socket = createSocket("udp4");
  const { server = on.dnsAddress, boundMs = 2000 } = options;
  try {
    return await new Promise<Resolved>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer")), boundMs);
      socket.on("message", (bytes) => {
        clearTimeout(timer);
        resolve(resolved(decode(bytes)));
      });
      socket.send(question(name, type, options.edns), on.dnsPort, server);
    });
  } finally {
    socket.close();
  }
}

/** Several queries over one TCP connection, in order. */
export function tcp(on: CloudflareLab, names: string[], type: string): Promise<Resolved[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(on.dnsPort, on.dnsAddress);
    const found: Resolved[] = [];
    let waiting = Buffer.alloc(0);
    socket.setTimeout(2000, () => socket.destroy(new Error("no answer")));
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE(0)) {
        const end = 2 + waiting.readUInt16BE(0);
        found.push(resolved(streamDecode(waiting.subarray(0, end)) as DecodedPacket));
        waiting = waiting.subarray(end);
      }
      if (found.length === names.length) {
        socket.destroy();
        resolve(found);
      }
    });
    const messages = names.map((name) => question(name, type));
    const frames = messages.flatMap((m) => [Buffer.from([m.length >> 8, m.length & 255]), m]);
    socket.write(Buffer.concat(frames));
  });
}

function question(name: string, type: string, edns?: number): Buffer {
  const opt = {
    ...{ type: "OPT" as const, name: ".", udpPayloadSize: edns ?? 0, extendedRcode: 0 },
    ...{ ednsVersion: 0, flags: 0, flag_do: false, options: [] },
  };
  return encode({
    type: "query",
    id: 4711,
    questions: [{ name, type: type as RecordType }],
    additionals: edns === undefined ? [] : [opt],
  });
}

function resolved(packet: DecodedPacket): Resolved {
  const flags = packet.flags ?? 0;
  const authorities = packet.authorities ?? [];
  const soa = authorities.find((a) => a.type === "SOA");
  return {
    rcode: flags & 15,
    aa: (flags & 0x400) !== 0,
    tc: (flags & 0x200) !== 0,
    answers: (packet.answers ?? []).map((a) =>
      "data" in a && "ttl" in a ? `${a.name} ${a.ttl} ${a.type} ${text(a.data)}` : a.type,
    ),
    authorities: authorities.map((a) => `${a.name} ${a.type}`),
    serial: soa?.type === "SOA" ? soa.data.serial : undefined,
  };
}

function text(data: unknown): string {
  if (typeof data === "string") return data;
  if (Array.isArray(data)) return data.map(String).join("|");
  return JSON.stringify(data);
}

/** Runs dig with the exact flags that sites use, and gives exit code and output. */
export function dig(
  on: CloudflareLab,
  args: string[],
): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve, reject) => {
    const flags = ["+norecurse", "+time=1", "+tries=1", "+noall", "+comments", "+answer"];
    const where = [`@${on.dnsAddress}`, "-p", String(on.dnsPort)];
    const child = spawn("dig", [...flags, ...where, ...args]);
    let out = "";
    child.stdout.on("data", (bytes) => (out += String(bytes)));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out }));
  });
}

/** A lab with the usual pivot zone: hostnames, pivot, two sites, witness and what surprises resolvers. */
export async function shop(options: Parameters<typeof lab>[0] = {}): Promise<CloudflareLab> {
  const on = await lab(options);
  const put = (type: string, name: string, content: string, ttl = 60): unknown =>
    on.setRecord("shop.test", { type, name, content, ttl });
  put("A", "site-a", "127.0.0.2", 300);
  put("AAAA", "site-a", "::2", 300);
  put("A", "site-b", "127.0.0.3", 300);
  put("CNAME", "active", "site-a.shop.test");
  put("CNAME", "www", "active.shop.test");
  put("CNAME", "@", "active.shop.test");
  put("CNAME", "away", "elsewhere.test");
  put("TXT", "_standby", '"v=1 epoch=1 to=a"');
  put("TXT", "deep.empty", '"x"');
  put("CNAME", "*.wild", "active.shop.test");
  put("TXT", "own.wild", '"own"');
  put("MX", "mail", "mx.shop.test");
  put("A", "auto", "192.0.2.1", 1);
  return on;
}
