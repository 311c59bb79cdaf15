import type { Clock } from "./clock";
import { refuseConflict } from "./conflicts";
import type { Knobs } from "./knobs";
import { problems } from "./problems";
import type { DnsRecordState, RecordDraft } from "./records";

/** Who made a change: a client of the API, or somebody behind its back (dashboard, other tool, test). */
export type ChangeSource = "api" | "behind";

/** One committed change of one record, as evidence. */
export interface ZoneChange {
  /** When it was committed, milliseconds since the epoch by the lab's clock. */
  readonly ms: number;
  /** When the DNS servers began to answer with it. */
  readonly visibleMs: number;
  readonly zone: string;
  /** SOA serial after the commit; all changes of one batch share it. */
  readonly serial: number;
  readonly source: ChangeSource;
  readonly before?: DnsRecordState;
  readonly after?: DnsRecordState;
}

interface Ghost {
  readonly record: DnsRecordState;
  readonly until: number;
}

interface RawChange {
  readonly before?: DnsRecordState;
  readonly after?: DnsRecordState;
}

/** What a transaction may do to a zone. Each call throws the API's own problem when it may not. */
export interface ZoneEdit {
  create(draft: RecordDraft): DnsRecordState;
  update(id: string, draft: RecordDraft): DnsRecordState;
  remove(id: string): DnsRecordState;
}

/** What a zone needs from the lab. */
export interface ZoneContext {
  readonly clock: Clock;
  readonly knobs: Knobs;
  newId(): string;
  committed(changes: readonly ZoneChange[]): void;
}

/**
 * The records of one zone as the control plane has them.
 * Invariant: a transaction is applied whole or not at all, and only a commit moves the serial.
 */
export class ZoneRecords {
  readonly name: string;
  serial = 1;
  readonly #context: ZoneContext;
  readonly #records = new Map<string, DnsRecordState>();
  readonly #byName = new Map<string, Set<string>>();
  #ghosts: Ghost[] = [];

  constructor(name: string, context: ZoneContext) {
    this.name = name;
    this.#context = context;
  }

  all(): DnsRecordState[] {
    return [...this.#records.values()];
  }

  /** The record with this id; throws 81044. */
  get(id: string): DnsRecordState {
    const record = this.#records.get(id);
    if (!record) throw problems.unknownRecord();
    return record;
  }

  at(name: string): DnsRecordState[] {
    return [...(this.#byName.get(name) ?? [])].map((id) => this.get(id));
  }

  transact<T>(source: ChangeSource, work: (edit: ZoneEdit) => T): T {
    const raw: RawChange[] = [];
    let result: T;
    try {
      result = work(this.#edit(raw));
    } catch (error) {
      for (const change of raw.reverse()) this.#swap(change.after, change.before);
      throw error;
    }
    if (raw.length > 0) this.#commit(source, raw);
    return result;
  }

  #edit(raw: RawChange[]): ZoneEdit {
    const apply = (change: RawChange): void => {
      this.#swap(change.before, change.after);
      raw.push(change);
    };
    return {
      create: (draft) => {
        this.#refuseConflicts(draft, undefined);
        const quota = this.#context.knobs.recordQuota;
        if (quota !== undefined && this.#records.size >= quota) throw problems.quotaExceeded();
        const after = this.#stored(draft, undefined);
        apply({ after });
        return after;
      },
      update: (id, draft) => {
        const before = this.get(id);
        this.#refuseConflicts(draft, id);
        const after = this.#stored(draft, before);
        apply({ before, after });
        return after;
      },
      remove: (id) => {
        const before = this.get(id);
        apply({ before });
        return before;
      },
    };
  }

  #stored(draft: RecordDraft, before: DnsRecordState | undefined): DnsRecordState {
    const now = this.#context.clock.now();
    const touched = <T>(same: boolean, old: number | undefined, value: T): number | undefined =>
      value ? (same && old !== undefined ? old : now) : undefined;
    const comment = touched(
      before?.comment === draft.comment,
      before?.commentModifiedMs,
      draft.comment,
    );
    const sameTags = before?.tags.join() === draft.tags.join();
    const tags = touched(sameTags, before?.tagsModifiedMs, draft.tags.length > 0);
    return {
      ...draft,
      id: before?.id ?? this.#context.newId(),
      createdMs: before?.createdMs ?? now,
      modifiedMs: now,
      ...(comment === undefined ? {} : { commentModifiedMs: comment }),
      ...(tags === undefined ? {} : { tagsModifiedMs: tags }),
    };
  }

  /** Puts `next` where `last` was; also the undo, with the two exchanged. */
  #swap(last: DnsRecordState | undefined, next: DnsRecordState | undefined): void {
    if (last) {
      const ids = this.#byName.get(last.name);
      ids?.delete(last.id);
      if (ids?.size === 0) this.#byName.delete(last.name);
      if (!next) this.#records.delete(last.id);
    }
    if (next) {
      this.#records.set(next.id, next);
      const ids = this.#byName.get(next.name) ?? new Set();
      this.#byName.set(next.name, ids.add(next.id));
    }
  }

  #commit(source: ChangeSource, raw: readonly RawChange[]): void {
    const { clock, knobs, committed } = this.#context;
    const ms = clock.now();
    this.serial += 1;
    if (knobs.deleteLagMs > 0) {
      for (const { before, after } of raw) {
        if (before && !after) this.#ghosts.push({ record: before, until: ms + knobs.deleteLagMs });
      }
    }
    const delay = knobs.propagationMs;
    committed(
      raw.map((change) => {
        const record = change.after ?? change.before;
        const wait = typeof delay === "number" ? delay : record ? delay(record) : 0;
        const { serial, name: zone } = this;
        return { ms, visibleMs: ms + wait, zone, serial, source, ...change };
      }),
    );
  }

  #refuseConflicts(draft: RecordDraft, self: string | undefined): void {
    const now = this.#context.clock.now();
    this.#ghosts = this.#ghosts.filter((g) => g.until > now);
    const ghosts = this.#ghosts.map((g) => g.record).filter((r) => r.name === draft.name);
    const others = [...this.at(draft.name), ...ghosts].filter((r) => r.id !== self);
    for (const other of others) refuseConflict(draft, other, this.name);
  }
}
