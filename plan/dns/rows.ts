import type { PreviewStepJson } from "./previewJson";

/** A record as the program asks for it. */
export interface RecordInputs {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly ttl: number;
  readonly proxied: boolean;
  readonly zoneId: string;
}

/** One DNS record that the update writes. */
export interface Row {
  readonly op: string;
  readonly urn: string;
  readonly before?: RecordInputs;
  readonly after?: RecordInputs;
  readonly id?: string;
  readonly importId?: string;
}

/** One thing that must not be approved. */
export interface Stray {
  readonly where: string;
  readonly what: string;
}

export const FIELDS = ["name", "type", "content", "ttl", "proxied", "zoneId"] as const;

// What an engine writes where a value is not known before the update.
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export const nameOf = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);

/** A step of a DNS record as a row; a stray where a value cannot be read, and so cannot be approved. */
export function rowOf(step: PreviewStepJson): { readonly row: Row } | { readonly stray: Stray } {
  const where = nameOf(step.urn);
  const before = step.oldState?.inputs;
  const after = step.newState?.inputs;
  const problem = [before, after].flatMap((one) => (one === undefined ? [] : unreadable(one)));
  if (problem.length > 0) return { stray: { where, what: `${step.op}: ${problem.join(", ")}` } };
  const id = step.oldState?.id;
  const importId = step.newState?.importID;
  return {
    row: {
      ...{ op: step.op, urn: step.urn },
      ...(before === undefined ? {} : { before: before as unknown as RecordInputs }),
      ...(after === undefined ? {} : { after: after as unknown as RecordInputs }),
      ...(id === undefined ? {} : { id }),
      ...(importId === undefined ? {} : { importId }),
    },
  };
}

/** What is unknown until the update, secret, or of another shape cannot be approved. */
function unreadable(inputs: Readonly<Record<string, unknown>>): readonly string[] {
  const fields = FIELDS.flatMap((field) => {
    const value = inputs[field];
    const kind = field === "ttl" ? "number" : field === "proxied" ? "boolean" : "string";
    if (value === UNKNOWN) return [`${field} is unknown until the update`];
    if (value === "[secret]") return [`${field} is secret`];
    return typeof value === kind ? [] : [`${field} is no ${kind}`];
  });
  const more = Object.keys(inputs).filter((key) => !FIELDS.some((field) => field === key));
  return [...fields, ...more.map((key) => `${key} is set, which no pair sets`)];
}
