import { pivotName } from "../desired";
import type { LiveRecord } from "./zone";

/**
 * Taking over a live zone: which names would become aliases of the pivot, in which order, and what must not be touched.
 * Invariant: no step changes what a client is answered; a name is never absent, for its absence is remembered as well.
 */

/** Where names point today, and what is declared about them. */
export interface AdoptionWish {
  readonly zone: string;
  /** Addresses of the site that serves today. */
  readonly site: { readonly v4: string; readonly v6?: string | undefined };
  /** Names that must not move. */
  readonly keep: readonly string[];
  readonly ttl: number;
}

/** One name, and the records that its alias replaces in one batch. */
export interface AdoptedName {
  readonly name: string;
  readonly replaces: readonly LiveRecord[];
  readonly proxied: boolean;
}

/** A name that is left alone, and why. */
export interface LeftName {
  readonly name: string;
  readonly why: string;
}

export interface AdoptionPlan {
  readonly zone: string;
  /** In the order of work: the first is the canary. */
  readonly names: readonly AdoptedName[];
  /** Already an alias of the pivot. */
  readonly done: readonly string[];
  readonly left: readonly LeftName[];
  /** Records whose TTL is lowered first. */
  readonly lower: readonly LiveRecord[];
  /** Seconds to wait after that: the longest TTL that a resolver may still hold. */
  readonly wait: number;
  /** Names below a wildcard that exist for themselves, and so do not follow it. */
  readonly holes: readonly LeftName[];
}

const ADDRESS = ["A", "AAAA"];
/** Seconds that the vendor's "automatic" stands for. */
const AUTOMATIC = 300;

export const ttlOf = (record: Pick<LiveRecord, "ttl">): number =>
  record.ttl === 1 ? AUTOMATIC : record.ttl;

/** Proposes. Pure: the same list gives the same plan. */
export function adoptionPlan(wish: AdoptionWish, live: readonly LiveRecord[]): AdoptionPlan {
  const names = new Map<string, LiveRecord[]>();
  for (const record of live) names.set(record.name, [...(names.get(record.name) ?? []), record]);
  const targets = targetNames(live);
  const judged = [...names].map(([name, here]) => judge(name, here, wish, targets));
  const adopted = judged.flatMap((one) => ("adopt" in one ? [one.adopt] : []));
  const pivot = pivotName(wish.zone);
  const lower = adopted
    .flatMap((one) => one.replaces)
    .filter((record) => !record.proxied && ttlOf(record) > wish.ttl);
  return {
    zone: wish.zone,
    // The apex last: it is the name that most depends on being right.
    names: adopted.sort((one, two) => rank(one.name, wish.zone) - rank(two.name, wish.zone)),
    done: live
      .filter((one) => one.type === "CNAME" && one.content === pivot)
      .map((one) => one.name),
    left: judged.flatMap((one) => ("left" in one ? [one.left] : [])),
    lower,
    wait: Math.max(0, ...lower.map(ttlOf)),
    holes: holes(live, adopted),
  };
}

function rank(name: string, zone: string): number {
  return name === zone ? 2 : name.startsWith("*.") ? 1 : 0;
}

type Judged =
  { readonly adopt: AdoptedName } | { readonly left: LeftName } | { readonly none: true };

function judge(
  name: string,
  here: readonly LiveRecord[],
  { zone, site, keep }: AdoptionWish,
  targets: ReadonlyMap<string, string>,
): Judged {
  const addresses = here.filter((record) => ADDRESS.includes(record.type));
  const wanted = [site.v4, ...(site.v6 === undefined ? [] : [site.v6])];
  if (!addresses.some((record) => wanted.includes(record.content.toLowerCase())))
    return { none: true };
  if (/^(active|site-[ab])\./.test(name) && name.endsWith(`.${zone}`)) return { none: true };
  const left = (why: string): Judged => ({ left: { name, why } });
  if (keep.includes(name)) return left("it is listed under keep");
  const target = targets.get(name);
  if (target !== undefined)
    return left(`it is the target of ${target}, which must not be an alias`);
  const other = addresses.filter((record) => !wanted.includes(record.content.toLowerCase()));
  if (other.length > 0) {
    return left(
      `it also points to ${other.map((one) => one.content).join(", ")}; an alias would take that away`,
    );
  }
  if (addresses.length !== wanted.length) {
    return left(
      `it has ${addresses.map((one) => one.type).join(" and ")}, the site has ${wanted.length === 1 ? "A" : "A and AAAA"}; an alias would answer another set`,
    );
  }
  const hint = here.find(
    (record) => ["HTTPS", "SVCB"].includes(record.type) && /ipv[46]hint/.test(record.content),
  );
  if (hint !== undefined)
    return left(`its ${hint.type} record holds addresses, which do not move with the pivot`);
  if (here.some((record) => record.type === "NS") && name !== zone) return left("it is delegated");
  const proxied = addresses.every((record) => record.proxied);
  if (!proxied && addresses.some((record) => record.proxied))
    return left("only some of its records are proxied");
  return { adopt: { name, replaces: addresses, proxied } };
}

function targetNames(live: readonly LiveRecord[]): ReadonlyMap<string, string> {
  return new Map(
    live
      .filter((record) => ["MX", "NS", "SRV"].includes(record.type))
      .map((record) => [
        (record.content.split(" ").at(-1) ?? "").toLowerCase().replace(/\.$/, ""),
        `${record.name} ${record.type}`,
      ]),
  );
}

function holes(live: readonly LiveRecord[], adopted: readonly AdoptedName[]): readonly LeftName[] {
  const moved = new Set(adopted.map((one) => one.name));
  return adopted
    .filter((one) => one.name.startsWith("*."))
    .flatMap(({ name }) => {
      const below = name.slice(1);
      const names = new Set(live.map((one) => one.name));
      return [...names]
        .filter((one) => one.endsWith(below) && one !== name && !moved.has(one))
        .filter((one) => !isOurs(one, name.slice(2)))
        .map((one) => ({ name: one, why: `it lies below ${name} and does not follow it` }));
    });
}

/** Names that a pair makes for itself: pivot, sites, witness and claims. */
function isOurs(name: string, zone: string): boolean {
  const head = name.slice(0, -zone.length - 1);
  return /^(active|site-[ab]|_standby-[a-z0-9-]+|e[1-9][0-9]*\._standby)$/.test(head);
}

/** The plan as a person reads it before anything is touched. */
export function adoptionText(plan: AdoptionPlan): string {
  const { names, left, lower, wait, done, holes: apart, zone } = plan;
  return [
    `${zone}: ${names.length} names would become aliases of ${pivotName(zone)}, ${done.length} are already`,
    ...(lower.length === 0
      ? []
      : [`1. lower the TTL of ${lower.length} records, then wait ${wait} s (the longest old TTL)`]),
    ...names.map(
      ({ name, replaces }, n) =>
        `${n === 0 ? "canary" : "then  "} ${name}: one batch deletes ${replaces.map((one) => `${one.type} ${one.content}`).join(", ")} and posts the CNAME`,
    ),
    ...left.map(({ name, why }) => `left alone: ${name}: ${why}`),
    ...apart.map(({ name, why }) => `hole: ${name}: ${why}`),
    "",
  ].join("\n");
}

/** Component arguments for the zone: hostnames to declare, and what `adopt: true` will import. */
export function adoptionArgs(plan: AdoptionPlan, zoneId: string): string {
  const hostnames = [...plan.done, ...plan.names.map((one) => one.name)].sort();
  const keep = plan.left.map((one) => one.name).sort();
  return JSON.stringify(
    { zone: plan.zone, zoneId, hostnames, ...(keep.length > 0 ? { keep } : {}) },
    undefined,
    2,
  );
}
