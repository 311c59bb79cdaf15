import { pivotChange, editable, type DnsTold } from "./intent";
import {
  runbooks,
  toldPlans,
  type PreviewJson,
  type PreviewStepJson,
  type ToldPlan,
} from "./previewJson";
import type { DeclaredRecord } from "./records";
import { FIELDS, nameOf, rowOf, type RecordInputs, type Row, type Stray } from "./rows";

/**
 * Holds every change of a preview against what the plans allow. A flip IS a large change, so no threshold fits: the
 * exact expected set is allowed, and one stray record stops it. Invariants: what is not known is not allowed; no
 * delete and no replace is ever allowed; what is expected and missing is as wrong as what is there and unexpected.
 */

export interface Judgement {
  readonly plans: readonly ToldPlan[];
  readonly rows: readonly Row[];
  readonly strays: readonly Stray[];
  /** Why there is no plan, or no whole one: what the program or the engine said. */
  readonly errors: readonly string[];
  /** Changes that are not DNS, by op. */
  readonly others: Readonly<Record<string, number>>;
}

const RECORD = "cloudflare:index/dnsRecord:DnsRecord";
const HARMLESS = ["same", "read", "refresh"];

export function judge(preview: PreviewJson): Judgement {
  const plans = toldPlans(preview);
  const steps = preview.steps.filter((step) => !HARMLESS.includes(step.op));
  const dns = steps.filter((step) => typeOf(step) === RECORD);
  const readings = dns.map(rowOf);
  const rows = readings.flatMap((one) => ("row" in one ? [one.row] : []));
  const errors = preview.diagnostics
    .filter((one) => one.severity === "error")
    .map((one) => one.message.replace(/^error: /, "").trim());
  return {
    plans,
    rows,
    errors,
    strays: [
      ...readings.flatMap((one) => ("stray" in one ? [one.stray] : [])),
      ...rows.flatMap((row) => strayOf(row, plans)),
      ...plans.flatMap((told) => [...missing(told, rows), ...foreignZone(told, rows)]),
      ...steps.flatMap((step) => forbidden(step)),
      ...disagreeing(preview, plans),
    ],
    others: countOps(steps.filter((step) => typeOf(step) !== RECORD)),
  };
}

const typeOf = (step: PreviewStepJson) => step.newState?.type ?? step.oldState?.type ?? "";

function strayOf(row: Row, plans: readonly ToldPlan[]): readonly Stray[] {
  const verdicts = plans.map((told) => verdictOn(row, told));
  if (verdicts.includes("allowed")) return [];
  const reason = verdicts.find((one) => one !== "not ours" && one !== "allowed");
  const what = reason ?? (plans.length === 0 ? "no plan names it" : "no part of the plan");
  return [{ where: nameOf(row.urn), what: `${describe(row)}: ${what}` }];
}

function describe({ op, before, after }: Row): string {
  const one = after ?? before;
  const values = [before?.content, after?.content].filter((value) => value !== undefined);
  return `${op} ${one?.name ?? ""} ${one?.type ?? ""} ${values.join(" -> ")}`.trim();
}

/** "allowed", "not ours", or the reason why this plan does not allow it. */
function verdictOn(row: Row, told: ToldPlan): string {
  if (row.op !== "create" && row.op !== "update" && row.op !== "import") {
    return "a record is never deleted or replaced while names depend on it";
  }
  if (row.after === undefined) return "it has no new value";
  if (row.op === "import") return imported(row, row.after, told.dns);
  const written = writtenBy(row, row.after, told);
  if (written !== undefined) return written;
  if (told.dns.intent === "flip" || told.dns.intent === "none") {
    const why =
      told.dns.intent === "flip"
        ? "a flip writes pivots and witness alone"
        : "the plan changes no DNS";
    return belongs(row.after, told.dns) ? why : "not ours";
  }
  return edited(row.after, told);
}

function belongs(after: RecordInputs, dns: DnsTold): boolean {
  return dns.zones.some(({ zone }) => after.name === zone || after.name.endsWith(`.${zone}`));
}

function imported(row: Row, after: RecordInputs, dns: DnsTold): string {
  const line = `${row.importId ?? ""} ${after.name} ${after.type}`;
  return dns.imports.includes(line) ? "allowed" : `an import that adoption does not list (${line})`;
}

/** Records that the plan's own steps write: the pivots and the witness. */
function writtenBy(row: Row, after: RecordInputs, told: ToldPlan): string | undefined {
  const { dns, states, to } = told;
  if (after.name === dns.witness.name) return witness(row, after, told);
  const zone = dns.zones.find((one) => pivotChange(one.zone, to).name === after.name);
  if (zone === undefined) return undefined;
  const { before, after: goal } = pivotChange(zone.zone, to);
  if (states[`pivot-${zone.zone}`] !== "todo") return settingsOnly(row, after, told);
  if (after.type !== "CNAME") return `type ${after.type} instead of CNAME`;
  if (after.content !== goal) return `it would point to ${after.content} instead of ${goal}`;
  if (row.op === "create") {
    return zone.live === "no record" || dns.intent !== "flip"
      ? fitting(after, dns.ttl)
      : "the pivot exists and would be created again; pulumi up --refresh, or adopt it";
  }
  if (row.before?.content !== before)
    return `it points to ${row.before?.content ?? "nothing"}, not to ${before}`;
  if (zone.pivotId !== undefined && row.id !== undefined && zone.pivotId !== row.id) {
    return `the state holds id ${row.id}, the zone ${zone.pivotId}; writing it answers 404`;
  }
  return contentAlone(row.before, after);
}

function witness(row: Row, after: RecordInputs, told: ToldPlan): string {
  const { dns, states, epoch, from, to, transition } = told;
  if (states.witness !== "todo") return settingsOnly(row, after, told);
  const text = `"v=1 epoch=${epoch} from=${from} to=${to} kind=${transition} key=`;
  if (after.type !== "TXT" || !after.content.startsWith(text)) {
    return `the witness would not say ${text.slice(1, -5)}`;
  }
  if (row.op === "create") {
    return dns.witness.live === "absent" || dns.intent !== "flip"
      ? fitting(after, dns.ttl)
      : "the witness exists and would be created again; pulumi up --refresh, or adopt it";
  }
  return contentAlone(row.before, after);
}

const fitting = (after: RecordInputs, ttl: number) =>
  after.ttl === ttl && !after.proxied
    ? "allowed"
    : `TTL ${after.ttl}, proxied ${String(after.proxied)}: declared is ${ttl}, not proxied`;

function contentAlone(before: RecordInputs | undefined, after: RecordInputs): string {
  const other = FIELDS.filter((field) => field !== "content" && before?.[field] !== after[field]);
  return other.length === 0 ? "allowed" : `${other.join(", ")} would change too`;
}

/** A pivot or witness that is not written now may only get its declared TTL, as part of an edit. */
function settingsOnly(row: Row, after: RecordInputs, { dns }: ToldPlan): string {
  if (dns.intent !== "edit") return "it is not written by this plan";
  if (row.op !== "update" || row.before?.content !== after.content)
    return "its content would change";
  return fitting(after, dns.ttl);
}

const known = new WeakMap<DnsTold, ReadonlyMap<string, DeclaredRecord>>();

function editableOf(dns: DnsTold): ReadonlyMap<string, DeclaredRecord> {
  const found =
    known.get(dns) ?? new Map(editable(dns).map((one) => [`${one.type} ${one.name}`, one]));
  known.set(dns, found);
  return found;
}

function edited(after: RecordInputs, { dns }: ToldPlan): string {
  const declared = editableOf(dns).get(`${after.type} ${after.name}`);
  if (declared === undefined || declared.contents === undefined) {
    return belongs(after, dns) ? "it is not among the records that the plan edits" : "not ours";
  }
  if (!declared.contents.includes(after.content))
    return `declared is ${declared.contents.join(" or ")}`;
  return after.ttl === declared.ttl && after.proxied === declared.proxied
    ? "allowed"
    : `TTL ${after.ttl}, proxied ${String(after.proxied)}: declared is ${declared.ttl}, ${String(declared.proxied)}`;
}

/** A record step that is todo and changes nothing: the state believes it done, the servers do not. */
function missing(told: ToldPlan, rows: readonly Row[]): readonly Stray[] {
  const names = new Set(rows.map((row) => row.after?.name));
  const expected = [
    ...(told.states.witness === "todo" ? [told.dns.witness.name] : []),
    ...told.dns.zones
      .filter(({ zone }) => told.states[`pivot-${zone}`] === "todo")
      .map(({ zone }) => pivotChange(zone, told.to).name),
  ];
  return expected
    .filter((name) => !names.has(name))
    .map((name) => ({
      where: name,
      what: "the plan writes it, the preview does not: the state differs from the live zone; pulumi up --refresh",
    }));
}

/** All records of one zone are written with one zone id. */
function foreignZone(told: ToldPlan, rows: readonly Row[]): readonly Stray[] {
  return told.dns.zones.flatMap(({ zone }) => {
    const own = rows.filter(
      (row) => row.after !== undefined && zoneOf(row.after.name, told) === zone,
    );
    const first = own[0]?.after?.zoneId;
    return own
      .filter((row) => row.after?.zoneId !== first)
      .map((row) => ({
        where: nameOf(row.urn),
        what: `it would be written to another zone id than the rest of ${zone}`,
      }));
  });
}

function zoneOf(name: string, { dns }: ToldPlan): string | undefined {
  return dns.zones
    .map(({ zone }) => zone)
    .filter((zone) => name === zone || name.endsWith(`.${zone}`))
    .sort((one, two) => two.length - one.length)[0];
}

/** Deletes and replaces of anything, and other changes of the zone itself. A command without a delete text does nothing when it goes. */
function forbidden(step: PreviewStepJson): readonly Stray[] {
  const type = typeOf(step);
  if (type === RECORD) return [];
  const where = nameOf(step.urn);
  const removes = /delete|replace|discard/.test(step.op);
  const inert = type === "command:local:Command" && step.oldState?.inputs?.delete === undefined;
  if (removes && !(inert && step.op === "delete"))
    return [{ where, what: `${step.op} of ${type}` }];
  return type.startsWith("cloudflare:") ? [{ where, what: `${step.op} of ${type}` }] : [];
}

function disagreeing(preview: PreviewJson, plans: readonly ToldPlan[]): readonly Stray[] {
  const digests = new Set(plans.map((told) => told.digest));
  return runbooks(preview)
    .filter((book) => !digests.has(book.digest))
    .map((book) => ({
      where: "runbook",
      what: `plan ${book.digest} is registered, but another one was told`,
    }));
}

function countOps(steps: readonly PreviewStepJson[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const step of steps) counts[step.op] = (counts[step.op] ?? 0) + 1;
  return counts;
}
