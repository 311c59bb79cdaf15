import type { Dns } from "./dns/dns";
import type { Existing } from "./dns/existing";

/** A DNS vendor whose records take over the live ones of the same name and type, instead of being created. */
export function adopting(dns: Dns, existing: Existing): Dns {
  return {
    ...dns,
    record: (name, record, options) => {
      const id = existing.get(`${record.name} ${record.type}`);
      return dns.record(name, record, id === undefined ? options : { ...options, import: id });
    },
  };
}
