import { z } from "zod";
import type { Knobs } from "./knobs";
import { problems } from "./problems";
import { type DnsRecordState, wireRecord } from "./records";
import { draftOf, parseBody, patched, recordFields, recordPatch } from "./validation";
import type { ZoneEdit, ZoneRecords } from "./zone";

const withId = z.object({ id: z.string() });

/** The body of the batch call; absent lists are empty ones. */
const batchBody = z.object({
  deletes: z.array(withId).nullish(),
  patches: z.array(z.intersection(withId, recordPatch)).nullish(),
  puts: z.array(z.intersection(withId, recordFields)).nullish(),
  posts: z.array(recordFields).nullish(),
});

/** The writes of the API on one zone's records, each one transaction. All throw ApiProblem. */
export class RecordOperations {
  readonly #records: ZoneRecords;
  readonly #knobs: Knobs;

  constructor(records: ZoneRecords, knobs: Knobs) {
    this.#records = records;
    this.#knobs = knobs;
  }

  post(body: unknown): DnsRecordState {
    return this.#transact((edit) => this.#post(edit, body));
  }

  put(id: string, body: unknown): DnsRecordState {
    return this.#transact((edit) => this.#put(edit, id, body));
  }

  patch(id: string, body: unknown): DnsRecordState {
    return this.#transact((edit) => this.#patch(edit, id, body));
  }

  remove(id: string): DnsRecordState {
    return this.#transact((edit) => edit.remove(id));
  }

  /** All or nothing, in the documented order: deletes, patches, puts, posts. Answers the wire form. */
  batch(body: unknown): Record<string, unknown> {
    const { deletes, patches, puts, posts } = parseBody(batchBody, body);
    const lists = [deletes, patches, puts, posts];
    const size = lists.reduce((sum, list) => sum + (list?.length ?? 0), 0);
    const limit = this.#knobs.batchLimit;
    if (size > limit)
      throw problems.body(`A batch may hold ${limit} changes, this one has ${size}.`);
    return this.#transact((edit) => {
      const wire = (record: DnsRecordState): object => wireRecord(record, this.#knobs);
      return {
        deletes: (deletes ?? []).map((d) => wire(edit.remove(d.id))),
        patches: (patches ?? []).map((p) => wire(this.#patch(edit, p.id, p))),
        puts: (puts ?? []).map((p) => wire(this.#put(edit, p.id, p))),
        posts: (posts ?? []).map((p) => wire(this.#post(edit, p))),
      };
    });
  }

  #transact<T>(work: (edit: ZoneEdit) => T): T {
    return this.#records.transact("api", work);
  }

  #post(edit: ZoneEdit, body: unknown): DnsRecordState {
    const fields = parseBody(recordFields, body);
    return edit.create(draftOf(fields, this.#records.name, this.#knobs));
  }

  #put(edit: ZoneEdit, id: string, body: unknown): DnsRecordState {
    this.#records.get(id);
    const fields = parseBody(recordFields, body);
    return edit.update(id, draftOf(fields, this.#records.name, this.#knobs));
  }

  #patch(edit: ZoneEdit, id: string, body: unknown): DnsRecordState {
    const before = this.#records.get(id);
    const fields = patched(before, parseBody(recordPatch, body));
    return edit.update(id, draftOf(fields, this.#records.name, this.#knobs));
  }
}
