import type { AccountListener } from "../account";
import type { Clock } from "../clock";
import type { ZoneChange } from "../zone";
import { PublishedZone } from "./published";

/** Zones by name, as one name server sees them. */
export type ZoneView = ReadonlyMap<string, PublishedZone>;

/** Carries commits to the name servers, each record at its own time and never out of its own order. */
export class Directory implements AccountListener {
  readonly #clock: Clock;
  readonly #zones = new Map<string, PublishedZone>();
  readonly #frozen = new Map<string, ZoneView>();
  readonly #silent = new Set<string>();
  #pending: ZoneChange[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  added(zone: string): void {
    this.#zones.set(zone, new PublishedZone(zone));
  }

  removed(zone: string): void {
    this.#zones.delete(zone);
    this.#pending = this.#pending.filter((c) => c.zone !== zone);
  }

  committed(changes: readonly ZoneChange[]): void {
    // Draining first keeps the queue short; it is sorted only when a commit overtakes a slower one.
    this.live();
    let latest = this.#pending.at(-1)?.visibleMs ?? 0;
    let inOrder = true;
    for (const change of changes) {
      inOrder &&= change.visibleMs >= latest;
      latest = change.visibleMs;
      this.#pending.push(change);
    }
    if (!inOrder) this.#pending.sort((x, y) => x.visibleMs - y.visibleMs);
  }

  /** What the server at this address answers from now; undefined when it is silent. */
  view(address: string): ZoneView | undefined {
    if (this.#silent.has(address)) return undefined;
    return this.#frozen.get(address) ?? this.live();
  }

  /** The newest published state. */
  live(): ZoneView {
    const now = this.#clock.now();
    const due = this.#pending.findIndex((c) => c.visibleMs > now);
    const ripe = this.#pending.splice(0, due < 0 ? this.#pending.length : due);
    for (const change of ripe) this.#zones.get(change.zone)?.apply(change);
    return this.#zones;
  }

  silence(address: string): void {
    this.#silent.add(address);
  }

  freeze(address: string): void {
    const copy = [...this.live()].map(([name, zone]) => [name, zone.clone()] as const);
    this.#frozen.set(address, new Map(copy));
  }

  restore(address: string): void {
    this.#silent.delete(address);
    this.#frozen.delete(address);
  }
}
