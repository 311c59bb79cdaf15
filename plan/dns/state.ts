import { z } from "zod";
import { SITE_IDS } from "../terms";
import type { DeclaredRecord, RecordRole } from "./records";
import type { StateRecord } from "./zone";

/**
 * `pulumi stack export`, as far as DNS goes: the state's own inputs say what was declared last, for every record of the
 * stack's pairs, and its ids say what an update would write to.
 */

const inputs = z.object({
  zoneId: z.string(),
  name: z.string(),
  type: z.enum(["A", "AAAA", "CNAME", "TXT"]),
  content: z.string(),
  ttl: z.number(),
  proxied: z.boolean().default(false),
});

const exportSchema = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.looseObject({
          type: z.string(),
          id: z.string().optional(),
          inputs: z.unknown().optional(),
        }),
      )
      .default([]),
  }),
});

/** One zone of the state. */
export interface StateZone {
  readonly zone: string;
  readonly zoneId: string;
  readonly declared: readonly DeclaredRecord[];
  readonly state: readonly StateRecord[];
}

const RECORD = "cloudflare:index/dnsRecord:DnsRecord";

/** The zones that have a pivot in this state. Throws when the text is no export. */
export function zonesOfState(text: string): readonly StateZone[] {
  const { resources } = exportSchema.parse(JSON.parse(text)).deployment;
  const records = resources.flatMap(({ type, id, inputs: given }) => {
    const read = inputs.safeParse(given);
    return type === RECORD && read.success ? [{ ...read.data, id: id ?? "" }] : [];
  });
  return [...new Set(records.map((one) => one.zoneId))].flatMap((zoneId) => {
    const own = records.filter((one) => one.zoneId === zoneId);
    const zone = own.find((one) => pivotOf(one) !== undefined);
    return zone === undefined ? [] : [stateZone(pivotOf(zone) ?? "", zoneId, own)];
  });
}

/** The zone that a record is the pivot of. */
function pivotOf({ name, type, content }: z.infer<typeof inputs>): string | undefined {
  const zone = name.replace(/^active\./, "");
  const isPivot = name !== zone && SITE_IDS.some((site) => content === `site-${site}.${zone}`);
  return type === "CNAME" && isPivot ? zone : undefined;
}

function stateZone(
  zone: string,
  zoneId: string,
  own: readonly (z.infer<typeof inputs> & { id: string })[],
): StateZone {
  return {
    zone,
    zoneId,
    declared: own.map(({ name, type, content, ttl, proxied }) => ({
      ...{ zone, name, type, ttl, proxied, role: roleIn(zone, name), contents: [content] },
    })),
    state: own.map(({ id, name, type }) => ({ id, name, type })),
  };
}

function roleIn(zone: string, name: string): RecordRole {
  if (name === `active.${zone}`) return "pivot";
  if (name.startsWith("_standby-")) return "witness";
  return SITE_IDS.some((site) => name === `site-${site}.${zone}`) ? "site" : "alias";
}

/** The names that a flip moves, and the address each site is reached by. */
export function movedNames({ zone, declared }: StateZone): {
  readonly names: readonly string[];
  readonly addresses: Readonly<Record<(typeof SITE_IDS)[number], readonly string[]>>;
} {
  const of = (site: string) =>
    declared
      .filter((one) => one.name === `site-${site}.${zone}`)
      .flatMap((one) => one.contents ?? []);
  return {
    names: declared.filter((one) => one.role === "alias").map((one) => one.name),
    addresses: { a: of("a"), b: of("b") },
  };
}
