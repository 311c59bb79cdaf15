import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { type AnswerKnobs, answer, rcodes, type Reply } from "./answer";
import type { ZoneView } from "./directory";

/** One question a server was asked, as evidence. */
export interface DnsQuery {
  /** Milliseconds since the epoch by the lab's clock. */
  readonly ms: number;
  /** Address of the server that was asked. */
  readonly server: string;
  readonly client: string;
  readonly transport: "udp" | "tcp";
  readonly name: string;
  readonly type: string;
  /** Number of the response code; undefined when the server was silent. */
  readonly rcode: number | undefined;
}

const recursionDesired = 0x0100;

/** A decoded query with one question, or the response to send instead (undefined: none at all). */
export type Incoming =
  | {
      readonly ok: true;
      readonly packet: DecodedPacket;
      readonly name: string;
      readonly type: string;
    }
  | { readonly ok: false; readonly response: Buffer | undefined };

/** Reads a query from the wire; never throws. */
export function readQuery(bytes: Buffer): Incoming {
  try {
    const packet = decode(bytes);
    if (packet.type !== "query") return { ok: false, response: undefined };
    const question = packet.questions?.[0];
    if (opcodeOf(packet) !== 0 || question?.type === ("ANY" as string)) {
      return { ok: false, response: bare(packet.id, rcodes.notImp) };
    }
    if (!question || packet.questions?.length !== 1) throw new Error("not one question");
    if ((question.class ?? "IN") !== "IN") {
      return { ok: false, response: bare(packet.id, rcodes.refused) };
    }
    return { ok: true, packet, name: question.name, type: question.type };
  } catch {
    const id = bytes.length >= 12 ? bytes.readUInt16BE(0) : undefined;
    return { ok: false, response: id === undefined ? undefined : bare(id, rcodes.formErr) };
  }
}

function opcodeOf(packet: DecodedPacket): number {
  return ((packet.flags ?? 0) >> 11) & 0xf;
}

/** The response to a query, cut to what UDP may carry when asked for. */
export function respond(
  query: Extract<Incoming, { ok: true }>,
  view: ZoneView,
  knobs: AnswerKnobs,
  transport: "udp" | "tcp",
): { bytes: Buffer; rcode: number } {
  const reply = answer(view, query, knobs);
  const whole = encoded(query, reply, 0);
  const opt = optOf(query);
  const most = transport === "tcp" ? 65535 : Math.max(512, opt?.udpPayloadSize ?? 512);
  if (whole.length <= most) return { bytes: whole, rcode: reply.rcode };
  const empty = { ...reply, answers: [], authorities: [] };
  return { bytes: encoded(query, empty, TRUNCATED_RESPONSE), rcode: reply.rcode };
}

function optOf(query: Extract<Incoming, { ok: true }>): { udpPayloadSize: number } | undefined {
  const found = query.packet.additionals?.find((a) => a.type === "OPT");
  return found?.type === "OPT" ? found : undefined;
}

function encoded(query: Extract<Incoming, { ok: true }>, reply: Reply, extra: number): Buffer {
  const asked = query.packet;
  const opt: Answer = {
    ...{ type: "OPT", name: ".", udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0 },
    ...{ flags: 0, flag_do: false, options: [] },
  };
  const echoed = (asked.flags ?? 0) & recursionDesired;
  const aa = reply.authoritative ? AUTHORITATIVE_ANSWER : 0;
  return encode({
    type: "response",
    ...(asked.id === undefined ? {} : { id: asked.id }),
    flags: aa | echoed | extra | reply.rcode,
    questions: asked.questions ?? [],
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: optOf(query) ? [opt] : [],
  });
}

function bare(id: number | undefined, rcode: number): Buffer {
  return encode({ type: "response", flags: rcode, ...(id === undefined ? {} : { id }) });
}
