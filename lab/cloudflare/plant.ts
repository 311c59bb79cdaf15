import type { CloudflareLab } from "./lab";

/** One fault put behind the API's back, and how it must be named. */
export interface Planted {
  readonly code: string;
  readonly name: string;
}

/**
 * Eight kinds of fault in a zone of hostnames `n0`, `n1` ... of a pair. Uses up the quota last, so that whoever looks
 * has few calls left.
 */
export function plantFaults(lab: CloudflareLab, zone: string): readonly Planted[] {
  const alias = { type: "CNAME", ttl: 60, content: `active.${zone}` };
  const at = (n: number) => `n${n}.${zone}`;
  lab.setRecord(zone, { ...alias, name: at(1), content: "elsewhere.example.net" });
  lab.deleteRecord(zone, at(2));
  lab.setRecord(zone, { ...alias, name: at(2) });
  lab.deleteRecord(zone, at(3));
  lab.setRecord(zone, { name: at(3), type: "A", content: "192.0.2.9", ttl: 60 });
  lab.setRecord(zone, { ...alias, name: at(4), ttl: 3600 });
  lab.setRecord(zone, { ...alias, name: at(5), proxied: true });
  lab.setRecord(zone, { name: `active.${zone}`, type: "CNAME", content: at(6), ttl: 60 });
  lab.setRecord(zone, { name: zone, type: "MX", content: at(7), ttl: 300 });
  lab.quota("user", 1170);
  return [
    { code: "hand-edit", name: at(1) },
    { code: "deleted-id", name: at(2) },
    { code: "wrong-type", name: at(3) },
    { code: "wrong-ttl", name: at(4) },
    { code: "wrong-proxied", name: at(5) },
    { code: "pivot-drift", name: `active.${zone}` },
    { code: "alias-target", name: at(7) },
    { code: "quota", name: zone },
  ];
}
