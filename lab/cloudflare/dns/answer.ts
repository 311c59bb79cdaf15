import type { Answer } from "dns-packet";
import { nameServers } from "../account";
import type { Knobs } from "../knobs";
import type { DnsRecordState } from "../records";
import type { ZoneView } from "./directory";
import { parentOf, type PublishedZone } from "./published";
import { dnsTtl, toAnswer } from "./rdata";

/** Response codes by number. */
export const rcodes = { noError: 0, formErr: 1, nxDomain: 3, notImp: 4, refused: 5 } as const;

/** What goes into a response. */
export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
}

/** The knobs that change answers. */
export type AnswerKnobs = Pick<Knobs, "soaMinimum" | "flattenInZone" | "edge">;

/** A question this server was asked; the name in the case it came in. */
export interface Asked {
  readonly name: string;
  readonly type: string;
}

const refused: Reply = {
  rcode: rcodes.refused,
  authoritative: false,
  answers: [],
  authorities: [],
};
const maxChain = 16;

/** Answers as an authoritative server: chains are followed inside the zone, never out of it. */
export function answer(view: ZoneView, asked: Asked, knobs: AnswerKnobs): Reply {
  const zone = closestZone(view, asked.name.toLowerCase());
  if (!zone) return refused;
  const answers: Answer[] = [];
  const negative = (rcode: number): Reply => {
    const authorities = [soa(zone, knobs.soaMinimum, true)];
    return { rcode, authoritative: true, answers, authorities };
  };
  const positive: Reply = { rcode: rcodes.noError, authoritative: true, answers, authorities: [] };

  let owner = asked.name;
  for (let hop = 0; hop < maxChain; hop += 1) {
    const name = owner.toLowerCase();
    const cut = delegation(zone, name);
    if (cut) return { ...positive, authoritative: answers.length > 0, authorities: cut };
    const node = lookup(zone, name);
    if (!node) return negative(rcodes.nxDomain);
    const found = rrset(view, zone, node, { name: owner, type: asked.type }, knobs);
    answers.push(...found);
    if (found.length > 0) return positive;
    const alias = node.find((r) => r.type === "CNAME");
    if (!alias || isFlattened(zone, alias, asked.type, knobs)) return negative(rcodes.noError);
    answers.push({ name: owner, type: "CNAME", ttl: dnsTtl(alias), data: alias.content });
    if (closestZone(view, alias.content) !== zone) return positive;
    owner = alias.content;
  }
  return positive;
}

/** The records of the asked type at a node, with what the vendor makes up: SOA, NS, edge, flattening. */
function rrset(
  view: ZoneView,
  zone: PublishedZone,
  node: readonly DnsRecordState[],
  asked: Asked,
  knobs: AnswerKnobs,
): Answer[] {
  const { name, type } = asked;
  const apex = name.toLowerCase() === zone.name;
  if (apex && type === "SOA") return [soa(zone, knobs.soaMinimum, false)];
  if (apex && type === "NS") {
    return nameServers.map((data) => ({ name, type: "NS", ttl: 86400, data }));
  }
  const address = type === "A" || type === "AAAA" ? type : undefined;
  if (address && node.some((r) => r.proxied)) {
    return knobs.edge[address].map((data) => ({ name, type: address, ttl: 300, data }));
  }
  const alias = node.find((r) => r.type === "CNAME");
  if (alias && address && isFlattened(zone, alias, type, knobs)) {
    return flattened(view, alias, address, dnsTtl(alias), maxChain).map(({ data, ttl }) => ({
      ...{ name, type: address, ttl, data },
    }));
  }
  if (alias && type === "CNAME" && isFlattened(zone, alias, type, knobs)) return [];
  const records = node.filter((r) => r.type === type);
  const ttl = Math.min(...records.map(dnsTtl));
  return records.flatMap((r) => toAnswer(r, name, ttl) ?? []);
}

function isFlattened(
  zone: PublishedZone,
  alias: DnsRecordState,
  type: string,
  knobs: AnswerKnobs,
): boolean {
  if (alias.name === zone.name || alias.proxied || alias.settings["flatten_cname"]) return true;
  const inside = alias.content === zone.name || alias.content.endsWith(`.${zone.name}`);
  return knobs.flattenInZone && inside && (type === "A" || type === "AAAA");
}

/** Addresses behind an alias, through every zone of the lab; the TTL is the lowest on the way. */
function flattened(
  view: ZoneView,
  alias: DnsRecordState,
  type: string,
  ttl: number,
  hops: number,
): { data: string; ttl: number }[] {
  const zone = closestZone(view, alias.content);
  const node = zone && lookup(zone, alias.content);
  if (!node || hops === 0) return [];
  const records = node.filter((r) => r.type === type);
  const lowest = Math.min(ttl, ...records.map(dnsTtl));
  if (records.length > 0) return records.map((r) => ({ data: r.content, ttl: lowest }));
  const next = node.find((r) => r.type === "CNAME");
  return next ? flattened(view, next, type, Math.min(ttl, dnsTtl(next)), hops - 1) : [];
}

function closestZone(view: ZoneView, name: string): PublishedZone | undefined {
  for (let at = name; at !== ""; at = parentOf(at)) {
    const zone = view.get(at);
    if (zone) return zone;
  }
  return undefined;
}

/** The records that answer for a name: its own, else its wildcard's; undefined = no such name. */
function lookup(zone: PublishedZone, name: string): readonly DnsRecordState[] | undefined {
  if (zone.exists(name)) return zone.at(name);
  let encloser = parentOf(name);
  while (!zone.exists(encloser)) encloser = parentOf(encloser);
  const wildcard = zone.at(`*.${encloser}`);
  return wildcard.length > 0 ? wildcard : undefined;
}

/** NS records at or above a name, below the apex: a referral, which is not an authoritative answer. */
function delegation(zone: PublishedZone, name: string): Answer[] | undefined {
  for (let at = name; at !== zone.name && at !== ""; at = parentOf(at)) {
    const servers = zone.at(at).filter((r) => r.type === "NS");
    const answers = servers.flatMap((r) => toAnswer(r, at, dnsTtl(r)) ?? []);
    if (answers.length > 0) return answers;
  }
  return undefined;
}

function soa(zone: PublishedZone, minimum: number, negative: boolean): Answer {
  const data = {
    mname: nameServers[0],
    rname: "dns.lab.invalid",
    serial: zone.serial,
    refresh: 10000,
    retry: 2400,
    expire: 604800,
    minimum,
  };
  // RFC 2308: the SOA of a negative answer lives no longer than the minimum.
  return { name: zone.name, type: "SOA", ttl: negative ? Math.min(minimum, 1800) : 1800, data };
}
