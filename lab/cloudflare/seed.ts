import { declaredRecords, type DnsShape } from "../../plan/dns/records";
import type { CloudflareLab } from "./lab";

/** Puts a pair's records into the emulator and gives the state that a stack would hold of them: what tests and bench start from. */
export function seedPair(lab: CloudflareLab, shape: DnsShape, active: "a" | "b" = "a"): string {
  const resources = declaredRecords(shape).map(({ zone, name, type, contents, ttl, proxied }) => {
    const index = name === `active.${zone}` && active === "b" ? 1 : 0;
    const content = contents?.[index] ?? '"v=1 epoch=1 from=b to=a kind=initial"';
    const zoneId = lab.zones.find((one) => one.name === zone)?.id ?? "";
    const { id } = lab.setRecord(zone, { name, type, content, ttl, proxied });
    const inputs = { zoneId, name, type, content, ttl, proxied };
    return { type: "cloudflare:index/dnsRecord:DnsRecord", id, inputs };
  });
  return JSON.stringify({ version: 3, deployment: { resources } });
}

/** A pair of n hostnames over its zones. */
export function shapeOf(
  zones: readonly { zone: string; hostnames: readonly string[] }[],
): DnsShape {
  const addresses = { a: { v4: "127.0.0.2" }, b: { v4: "127.0.0.3" } };
  const witness = `_standby-shop.${zones[0]?.zone ?? ""}`;
  return { ttl: 60, proxied: false, witness, addresses, zones };
}
