import { z } from "zod";
import { problems } from "./problems";

/** The parts of a record's value: MX has a priority, SRV and CAA have `data` of which content is a view. */
export interface Shape {
  readonly content: string;
  readonly priority?: number;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** SRV data as the API takes it. */
export const srvData = z.object({
  priority: z.number().int(),
  weight: z.number().int(),
  port: z.number().int(),
  target: z.string(),
});

/** CAA data as the API takes it. */
export const caaData = z.object({
  flags: z.number().int(),
  tag: z.enum(["issue", "issuewild", "iodef"]),
  value: z.string(),
});

interface ValueFields {
  readonly content?: string | null | undefined;
  readonly priority?: number | null | undefined;
  readonly data?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Brings `content`, `priority` and `data` of a request into the form that answers show. */
export function structuredContent(type: string, fields: ValueFields): Shape {
  switch (type) {
    case "SRV":
      return srvShape(fields);
    case "CAA":
      return caaShape(fields);
    case "MX":
      return { content: fields.content ?? "", priority: fields.priority ?? 10 };
    default:
      return {
        content: fields.content ?? contentOfData(fields.data),
        ...(fields.data ? { data: fields.data } : {}),
        ...(fields.priority == null ? {} : { priority: fields.priority }),
      };
  }
}

function srvShape(fields: ValueFields): Shape {
  const [weight, port, target] = (fields.content ?? "").split(/\s+/);
  const priority = fields.priority ?? 0;
  const words = { priority, weight: Number(weight), port: Number(port), target: target ?? "" };
  const parsed = srvData.safeParse(fields.data ?? words);
  if (!parsed.success) throw problems.target("SRV");
  const data = parsed.data;
  const content = `${data.weight} ${data.port} ${data.target}`;
  return { content, priority: data.priority, data };
}

function caaShape(fields: ValueFields): Shape {
  const words = /^(\d+)\s+(\w+)\s+"?([^"]*)"?$/.exec(fields.content ?? "");
  const spoken = words ? { flags: Number(words[1]), tag: words[2], value: words[3] } : {};
  const parsed = caaData.safeParse(fields.data ?? spoken);
  if (!parsed.success) throw problems.target("CAA");
  const data = parsed.data;
  return { content: `${data.flags} ${data.tag} "${data.value}"`, data };
}

function contentOfData(data: Readonly<Record<string, unknown>> | null | undefined): string {
  return data ? Object.values(data).map(String).join(" ") : "";
}
