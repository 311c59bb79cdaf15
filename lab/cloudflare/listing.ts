import type { DnsRecordState } from "./records";
import type { ZoneChange } from "./zone";

/** One page of a list, with the `result_info` that goes with it. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly info: {
    readonly page: number;
    readonly per_page: number;
    readonly count: number;
    readonly total_count: number;
    readonly total_pages: number;
  };
}

/** Query parameters, names as in the URL (`name.exact`, `per_page`). */
export type Query = Readonly<Record<string, string>>;

/** Cuts one page out of a list. A page past the end is empty: clients page until they see that. */
export function paged<T>(all: readonly T[], query: Query, usual: number, most: number): Page<T> {
  const page = Math.max(1, Math.trunc(Number(query["page"] ?? 1)) || 1);
  const wished = Math.trunc(Number(query["per_page"] ?? usual)) || usual;
  const size = Math.min(most, Math.max(1, wished));
  const items = all.slice((page - 1) * size, page * size);
  const total_pages = Math.ceil(all.length / size);
  const info = { page, per_page: size, count: items.length, total_count: all.length, total_pages };
  return { items, info };
}

/** The records as they were at a moment: everything later is taken back, newest first. */
export function asOf(
  records: readonly DnsRecordState[],
  newestFirst: Iterable<ZoneChange>,
  ms: number,
): readonly DnsRecordState[] {
  const later: ZoneChange[] = [];
  for (const change of newestFirst) {
    if (change.ms <= ms) break;
    later.push(change);
  }
  if (later.length === 0) return records;
  const then = new Map(records.map((one) => [one.id, one]));
  for (const { before, after } of later) {
    if (before !== undefined) then.set(before.id, before);
    else if (after !== undefined) then.delete(after.id);
  }
  return [...then.values()];
}

/** Records that a list request asks for, in its order. Unknown parameters are ignored, as the API does. */
export function selected(records: readonly DnsRecordState[], query: Query): DnsRecordState[] {
  const filters = [...textFilters(query), ...plainFilters(query)];
  const any = query["match"] === "any";
  const kept = records.filter((record) =>
    filters.length === 0
      ? true
      : any
        ? filters.some((f) => f(record))
        : filters.every((f) => f(record)),
  );
  const found = query["search"] ? kept.filter(mentions(query["search"])) : kept;
  return query["order"] ? ordered(found, query["order"], query["direction"] === "desc") : found;
}

type Filter = (record: DnsRecordState) => boolean;

const textFields = {
  name: (r: DnsRecordState) => r.name,
  content: (r: DnsRecordState) => r.content,
  comment: (r: DnsRecordState) => r.comment ?? "",
} as const;

function textFilters(query: Query): Filter[] {
  const fields = Object.entries(textFields);
  return fields.flatMap(([field, read]) =>
    Object.entries(query).flatMap(([key, value]) => {
      if (key !== field && !key.startsWith(`${field}.`)) return [];
      const test = textTest(key.slice(field.length + 1) || "exact", value.toLowerCase());
      return test ? [(r: DnsRecordState) => test(read(r).toLowerCase())] : [];
    }),
  );
}

function textTest(operator: string, wanted: string): ((text: string) => boolean) | undefined {
  switch (operator) {
    case "exact":
      return (text) => text === wanted.replace(/\.$/, "");
    case "contains":
      return (text) => text.includes(wanted);
    case "startswith":
      return (text) => text.startsWith(wanted);
    case "endswith":
      return (text) => text.endsWith(wanted);
    case "present":
      return (text) => text !== "";
    case "absent":
      return (text) => text === "";
    default:
      return undefined;
  }
}

function plainFilters(query: Query): Filter[] {
  const filters: Filter[] = [];
  const { type, proxied } = query;
  if (type) filters.push((r) => r.type === type.toUpperCase());
  if (proxied) filters.push((r) => String(r.proxied) === proxied);
  const tag = query["tag"] ?? query["tag.exact"];
  if (tag) filters.push((r) => r.tags.includes(tag));
  const present = query["tag.present"];
  if (present) filters.push((r) => r.tags.some((t) => t.split(":")[0] === present));
  const absent = query["tag.absent"];
  if (absent) filters.push((r) => !r.tags.some((t) => t.split(":")[0] === absent));
  return filters;
}

function mentions(words: string): Filter {
  const wanted = words.toLowerCase();
  return (r) => [r.name, r.content, r.comment ?? "", ...r.tags].some((t) => t.includes(wanted));
}

function ordered(records: DnsRecordState[], order: string, down: boolean): DnsRecordState[] {
  const key = (r: DnsRecordState): string | number => {
    if (order === "ttl") return r.ttl;
    if (order === "proxied") return Number(r.proxied);
    return order === "type" ? r.type : order === "content" ? r.content : r.name;
  };
  const sign = down ? -1 : 1;
  return [...records].sort((x, y) => {
    const [left, right] = [key(x), key(y)];
    return left < right ? -sign : left > right ? sign : 0;
  });
}
