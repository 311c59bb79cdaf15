import type { ChangeSource, ZoneChange, ZoneContext } from "./zone";
import { ZoneRecords } from "./zone";
import { problems } from "./problems";
import { stamp } from "./records";
import { hostName } from "./validation";

/** What a zone is called at start; without `id` it gets 32 random hex digits. */
export interface ZoneSeed {
  readonly name: string;
  readonly id?: string;
}

/** One zone of the emulated account. */
export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly records: ZoneRecords;
  readonly createdMs: number;
  modifiedMs: number;
  paused: boolean;
}

/** Whoever must know what the account did: the DNS side. */
export interface AccountListener {
  added(zone: string): void;
  removed(zone: string): void;
  committed(changes: readonly ZoneChange[]): void;
}

/** All zones, and the history of every record in them. */
export class Account {
  readonly #context: Omit<ZoneContext, "committed">;
  readonly #listener: AccountListener;
  readonly #zones = new Map<string, Zone>();
  readonly #history: ZoneChange[] = [];
  readonly #lastVisible = new Map<string, number>();

  constructor(context: Omit<ZoneContext, "committed">, listener: AccountListener) {
    this.#context = context;
    this.#listener = listener;
  }

  zones(): Zone[] {
    return [...this.#zones.values()];
  }

  history(): ZoneChange[] {
    return [...this.#history];
  }

  /** The changes of one zone, newest first, read as far as somebody wants them. */
  *changes(zone: string): Generator<ZoneChange> {
    for (let at = this.#history.length - 1; at >= 0; at -= 1) {
      const change = this.#history[at];
      if (change?.zone === zone) yield change;
    }
  }

  byId(id: string): Zone | undefined {
    return this.#zones.get(id);
  }

  /** A zone by name or id, for callers that know it exists. Throws a plain Error otherwise. */
  find(nameOrId: string): Zone {
    const zone = this.zones().find((z) => z.id === nameOrId || z.name === hostName(nameOrId));
    if (!zone) throw new Error(`no zone ${nameOrId} in this lab`);
    return zone;
  }

  add(seed: ZoneSeed): Zone {
    const name = hostName(seed.name);
    if (this.zones().some((z) => z.name === name)) throw problems.zoneExists(name);
    const now = this.#context.clock.now();
    const committed = (changes: readonly ZoneChange[]): void => {
      const timed = changes.map((change) => this.#inOrder(change));
      // One by one: a spread of 100,000 arguments overflows the stack.
      for (const change of timed) this.#history.push(change);
      this.#listener.committed(timed);
    };
    const zone: Zone = {
      id: seed.id ?? this.#context.newId(),
      name,
      records: new ZoneRecords(name, { ...this.#context, committed }),
      createdMs: now,
      modifiedMs: now,
      paused: false,
    };
    this.#zones.set(zone.id, zone);
    this.#listener.added(name);
    return zone;
  }

  /** Removes a zone with its records, which leave a history entry each. */
  remove(zone: Zone, source: ChangeSource): void {
    zone.records.transact(source, (edit) => {
      for (const record of zone.records.all()) edit.remove(record.id);
    });
    this.#zones.delete(zone.id);
    this.#listener.removed(zone.name);
  }

  /** A record's later change is never seen before its earlier one, whatever the delays say. */
  #inOrder(change: ZoneChange): ZoneChange {
    const id = (change.after ?? change.before)?.id ?? "";
    const visibleMs = Math.max(change.visibleMs, this.#lastVisible.get(id) ?? 0);
    this.#lastVisible.set(id, visibleMs);
    return { ...change, visibleMs };
  }
}

/** Names of the servers a zone is delegated to; `.invalid` so that nothing ever resolves them. */
export const nameServers = ["ada.ns.lab.invalid", "bob.ns.lab.invalid"] as const;

/** The zone as the API answers it. */
export function wireZone(zone: Zone): Record<string, unknown> {
  return {
    id: zone.id,
    name: zone.name,
    status: "active",
    paused: zone.paused,
    type: "full",
    development_mode: 0,
    name_servers: nameServers,
    original_name_servers: null,
    original_registrar: null,
    original_dnshost: null,
    vanity_name_servers: [],
    meta: { phishing_detected: false, page_rule_quota: 3, custom_certificate_quota: 0 },
    owner: { id: null, type: "user", email: null },
    account: { id: "0".repeat(32), name: "lab" },
    tenant: { id: null, name: null },
    tenant_unit: { id: null },
    permissions: ["#dns_records:edit", "#dns_records:read", "#zone:read"],
    plan: { id: "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", name: "Free Website", price: 0 },
    created_on: stamp(zone.createdMs),
    modified_on: stamp(zone.modifiedMs),
    activated_on: stamp(zone.createdMs),
  };
}
