import type { DnsRecordState } from "../records";
import type { ZoneChange } from "../zone";

/**
 * One zone as the name servers have it: behind the control plane by the propagation delay of each record.
 * A name "exists" when it or anything below it has a record (RFC 4592), so a wildcard does not cover it.
 */
export class PublishedZone {
  readonly name: string;
  serial = 1;
  readonly #records = new Map<string, DnsRecordState[]>();
  readonly #below = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  apply(change: ZoneChange): void {
    // A slow record's change may arrive after a later commit's: the serial never goes back.
    this.serial = Math.max(this.serial, change.serial);
    const { before, after } = change;
    if (before) this.#remove(before);
    if (after) this.#add(after);
  }

  /** Exactly the records of this name, no wildcards. */
  at(name: string): readonly DnsRecordState[] {
    return this.#records.get(name) ?? [];
  }

  exists(name: string): boolean {
    return name === this.name || (this.#below.get(name) ?? 0) > 0;
  }

  /** A copy that stays as it is. */
  clone(): PublishedZone {
    const copy = new PublishedZone(this.name);
    copy.serial = this.serial;
    for (const [name, records] of this.#records) copy.#records.set(name, [...records]);
    for (const [name, count] of this.#below) copy.#below.set(name, count);
    return copy;
  }

  #add(record: DnsRecordState): void {
    this.#records.set(record.name, [...this.at(record.name), record]);
    this.#count(record.name, 1);
  }

  #remove(record: DnsRecordState): void {
    const kept = this.at(record.name).filter((r) => r.id !== record.id);
    if (kept.length === this.at(record.name).length) return;
    if (kept.length > 0) this.#records.set(record.name, kept);
    else this.#records.delete(record.name);
    this.#count(record.name, -1);
  }

  /** Counts for the name and each ancestor within the zone. */
  #count(name: string, by: number): void {
    for (let at = name; at !== this.name && at !== ""; at = parentOf(at)) {
      const count = (this.#below.get(at) ?? 0) + by;
      if (count > 0) this.#below.set(at, count);
      else this.#below.delete(at);
    }
  }
}

/** The name without its first label; "" above the last. */
export function parentOf(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1);
}
