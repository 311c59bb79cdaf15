import type { Answer } from "dns-packet";
import { caaData, srvData } from "../content";
import type { DnsRecordState } from "../records";
import { txtStrings } from "../text";

/** TTL in DNS, seconds: 1 means automatic, which is 300. */
export function dnsTtl(record: DnsRecordState): number {
  return record.ttl === 1 ? 300 : record.ttl;
}

/** The record as an answer for `owner`; undefined for types this name server does not speak. */
export function toAnswer(record: DnsRecordState, owner: string, ttl: number): Answer | undefined {
  const base = { name: owner, ttl, class: "IN" } as const;
  const { content } = record;
  switch (record.type) {
    case "A":
    case "AAAA":
    case "CNAME":
    case "NS":
    case "PTR":
      return { ...base, type: record.type, data: content };
    case "TXT":
      return { ...base, type: "TXT", data: txtStrings(content) };
    case "MX":
      return { ...base, type: "MX", data: { preference: record.priority ?? 0, exchange: content } };
    case "SRV":
      return { ...base, type: "SRV", data: srvData.parse(record.data) };
    case "CAA": {
      const { flags, tag, value } = caaData.parse(record.data);
      return { ...base, type: "CAA", data: { flags, tag, value, issuerCritical: flags >= 128 } };
    }
    default:
      return undefined;
  }
}
