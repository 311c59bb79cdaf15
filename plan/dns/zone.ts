import type { DeclaredRecord } from "./records";

/**
 * The live zone, as one list, against what is declared and what the state holds. Pure; the list costs ceil(N/5000) calls
 * where a refresh costs one a record. Each finding says what, where and the next act.
 */

/** One record as the vendor's API lists it. Names lower case without a trailing dot; a TXT keeps its quotes. */
export interface LiveRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly content: string;
  /** Seconds; 1 = automatic. */
  readonly ttl: number;
  readonly proxied: boolean;
}

/** A record as the stack's state holds it. */
export interface StateRecord {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

/** What the reads of one zone gave. */
export interface ZoneSurvey {
  readonly zone: string;
  readonly records: readonly LiveRecord[];
  readonly calls: number;
  /** Calls left in the vendor's window, and seconds until it ends. */
  readonly quota?: { readonly left: number; readonly seconds: number };
  /** What the token may do, as the zone itself reports. */
  readonly permissions?: readonly string[];
}

export const FINDING_CODES = [
  "pivot-drift",
  "hand-edit",
  "missing",
  "deleted-id",
  "duplicate",
  "wrong-type",
  "wrong-ttl",
  "wrong-proxied",
  "alias-target",
  "site-hint",
  "quota",
  "scope",
] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

export interface Finding {
  readonly code: FindingCode;
  readonly zone: string;
  readonly name: string;
  readonly what: string;
  /** The next act, exact. */
  readonly hint: string;
  /** True: no switchover may begin with it. A failover is never held up by what a list says. */
  readonly stops: boolean;
}

const REFRESH = "find out who changed it and why; pulumi up --refresh puts it back.";
const SAME_NAME = ["A", "AAAA", "CNAME"];
/** Calls that one flip and its second look need at least, with room for a re-run. */
const LEAST_QUOTA = 50;

/** All findings of all surveyed zones, in the order of the declared records. */
export function findingsOf(
  declared: readonly DeclaredRecord[],
  surveys: readonly ZoneSurvey[],
  state?: readonly StateRecord[],
): readonly Finding[] {
  const held = new Map(state?.map((one) => [`${one.type} ${one.name}`, one.id]));
  return surveys.flatMap((survey) => {
    const live = byName(survey.records);
    const ids = new Set(survey.records.map((record) => record.id));
    const own = declared.filter((record) => record.zone === survey.zone);
    return [
      ...own.flatMap((record) => {
        const id = held.get(`${record.type} ${record.name}`);
        const gone = id !== undefined && !ids.has(id);
        const found = judge(record, live, gone);
        // Another type in its place says more than that its id is gone.
        const told = found.some((one) => one.code === "wrong-type");
        return [...(gone && !told ? [deleted(record, id)] : []), ...found];
      }),
      ...targets(own, survey),
      ...hints(own, survey, live),
      ...access(survey),
    ];
  });
}

function byName(records: readonly LiveRecord[]): ReadonlyMap<string, readonly LiveRecord[]> {
  const index = new Map<string, LiveRecord[]>();
  for (const record of records) {
    const found = index.get(record.name);
    if (found === undefined) index.set(record.name, [record]);
    else found.push(record);
  }
  return index;
}

function finding(
  record: Pick<DeclaredRecord, "zone" | "name">,
  code: FindingCode,
  what: string,
  hint: string,
  stops = false,
): Finding {
  return { code, zone: record.zone, name: record.name, what, hint, stops };
}

function deleted(record: DeclaredRecord, id: string): Finding {
  return finding(
    record,
    "deleted-id",
    `${record.name} ${record.type}: the state holds id ${id}, which the zone no longer has; writing it answers 404 and stops the update`,
    "pulumi up --refresh forgets the id and makes the record again.",
    record.role === "pivot" || record.role === "witness",
  );
}

function judge(
  record: DeclaredRecord,
  live: ReadonlyMap<string, readonly LiveRecord[]>,
  gone: boolean,
): readonly Finding[] {
  const here = live.get(record.name) ?? [];
  const same = here.filter((one) => one.type === record.type);
  const [first, ...more] = same;
  const key = record.role === "pivot" || record.role === "witness";
  if (first === undefined) {
    return absent(record, here, key).filter((one) => !gone || one.code !== "missing");
  }
  if (more.length > 0) {
    const contents = same.map((one) => one.content).join(" and ");
    return [
      finding(
        record,
        "duplicate",
        `${record.name} has ${same.length} ${record.type} records (${contents}); declared is one`,
        "delete the one that nobody declared, at the vendor.",
        key,
      ),
    ];
  }
  return [...content(record, first), ...settings(record, first)];
}

function absent(
  record: DeclaredRecord,
  here: readonly LiveRecord[],
  key: boolean,
): readonly Finding[] {
  const clash = here.find(
    (one) =>
      SAME_NAME.includes(one.type) &&
      SAME_NAME.includes(record.type) &&
      (one.type === "CNAME" || record.type === "CNAME"),
  );
  if (clash === undefined) {
    return [
      finding(
        record,
        "missing",
        `${record.name} ${record.type} is declared and not in the zone`,
        "a new name is made by the next pulumi up; if somebody deleted it: pulumi up --refresh.",
      ),
    ];
  }
  return [
    finding(
      record,
      "wrong-type",
      `${record.name} is ${clash.type} ${clash.content} in the zone, declared is ${record.type}`,
      key
        ? "delete it at the vendor, then pulumi up --refresh."
        : "standby adopt changes the type without taking the name away; then pulumi up --refresh.",
      key,
    ),
  ];
}

/** Contents as they are compared: a vendor drops a trailing dot and lowers names. */
const plain = (content: string) => content.toLowerCase().replace(/\.$/, "");

function content(record: DeclaredRecord, live: LiveRecord): readonly Finding[] {
  if (record.contents === undefined || record.contents.includes(plain(live.content))) return [];
  const pivot = record.role === "pivot";
  return [
    finding(
      record,
      pivot ? "pivot-drift" : "hand-edit",
      `${record.name} ${record.type} is ${live.content} in the zone, declared is ${record.contents.join(" or ")}`,
      REFRESH,
      pivot,
    ),
  ];
}

function settings(record: DeclaredRecord, live: LiveRecord): readonly Finding[] {
  if (live.proxied !== record.proxied) {
    return [
      finding(
        record,
        "wrong-proxied",
        `${record.name} is ${live.proxied ? "" : "not "}proxied in the zone, declared is ${record.proxied ? "proxied" : "not proxied"}`,
        REFRESH,
      ),
    ];
  }
  if (live.ttl === record.ttl) return [];
  return [
    finding(
      record,
      "wrong-ttl",
      `${record.name} ${record.type} has TTL ${live.ttl} in the zone, declared is ${record.ttl}; resolvers keep the old answer that long`,
      REFRESH,
    ),
  ];
}

/** Mail and name servers must be names with addresses of their own: a target that is an alias is ignored by some. */
function targets(own: readonly DeclaredRecord[], survey: ZoneSurvey): readonly Finding[] {
  const aliases = new Set(own.filter((one) => one.role === "alias").map((one) => one.name));
  return survey.records
    .filter(({ type }) => ["MX", "NS", "SRV"].includes(type))
    .flatMap((record) => {
      const target = plain(record.content.split(" ").at(-1) ?? "");
      if (!aliases.has(target)) return [];
      return [
        finding(
          { zone: survey.zone, name: target },
          "alias-target",
          `${target} is the target of ${record.name} ${record.type}, which must not be an alias`,
          `list ${target} under keep, or give ${record.name} another target.`,
        ),
      ];
    });
}

/** What follows an alias to a site is the site's for every name: certificates and address hints do not move by a flip. */
function hints(
  own: readonly DeclaredRecord[],
  survey: ZoneSurvey,
  live: ReadonlyMap<string, readonly LiveRecord[]>,
): readonly Finding[] {
  const names = new Set(own.filter((one) => one.role === "site").map((one) => one.name));
  const declared = new Set(own.map((one) => `${one.type} ${one.name}`));
  return [...names].flatMap((name) =>
    (live.get(name) ?? [])
      .filter(({ type }) => ["CAA", "HTTPS", "SVCB", "AAAA"].includes(type))
      .filter(({ type }) => !declared.has(`${type} ${name}`))
      .map((record) =>
        finding(
          { zone: survey.zone, name },
          "site-hint",
          `${name} has a ${record.type} record (${record.content}), which every name behind the pivot would get at this site only`,
          `delete it at the vendor, or give both sites the same${record.type === "AAAA" ? " families in addresses" : ""}.`,
        ),
      ),
  );
}

function access(survey: ZoneSurvey): readonly Finding[] {
  const at = { zone: survey.zone, name: survey.zone };
  const { quota, permissions } = survey;
  return [
    ...(quota !== undefined && quota.left < LEAST_QUOTA
      ? [
          finding(
            at,
            "quota",
            `${quota.left} calls are left of the token's quota for the next ${quota.seconds} s; a flip and a re-run need ${LEAST_QUOTA}`,
            "give the pair a token of its own account, or wait.",
          ),
        ]
      : []),
    ...(permissions !== undefined && !permissions.some((one) => /dns_records:edit/.test(one))
      ? [
          finding(
            at,
            "scope",
            `the token may read zone ${survey.zone} and not edit its records, as the zone reports`,
            "give the token Zone.DNS edit for this zone: pulumi config set --secret cloudflare:apiToken.",
          ),
        ]
      : []),
  ];
}
