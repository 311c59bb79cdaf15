import type { DnsRecordState } from "./records";

/** What the live API does differently by plan, by date or on a bad day. All may be changed while it runs. */
export interface Knobs {
  /** Lowest TTL accepted, seconds: 60, Enterprise 30, labs lower. @default 60 */
  minTtl: number;
  /** Changes per batch call: 200 Free, 3500 paid. @default 200 */
  batchLimit: number;
  /** Records per zone before 81045; undefined = no limit. @default undefined */
  recordQuota: number | undefined;
  /** Largest page of a record list; larger wishes are cut to it. @default 5000 */
  maxPerPage: number;
  /**
   * What `settings` looks like in answers: "full" = three flags on a CNAME and `{}` elsewhere, "empty" = `{}`
   * unless the client stored something, "omit" = absent unless the client stored something. @default "full"
   */
  settings: "full" | "empty" | "omit";
  /** "chained" wraps validation errors in 1004 + error_chain, as older versions do. @default "current" */
  errorForm: "current" | "chained";
  /** Milliseconds from commit to the DNS servers, per record. @default 0 */
  propagationMs: number | ((record: DnsRecordState) => number);
  /** Milliseconds by which lists of records lag behind what was committed; single reads do not. @default 0 */
  listLagMs: number;
  /** Milliseconds for which a deleted record still counts as a conflict for new ones. @default 0 */
  deleteLagMs: number;
  /** Third field of negative caching: SOA minimum in seconds. @default 1800 */
  soaMinimum: number;
  /** Answer in-zone CNAMEs below the apex with the target's addresses, too. @default false */
  flattenInZone: boolean;
  /** What a proxied name answers with (TTL 300). */
  edge: { A: string[]; AAAA: string[] };
  /** Calls per window and owner, the window in seconds, the code of a 429 and whether it names a wait. */
  rate: { limit: number; windowSeconds: number; code: 971 | 10100; retryAfter: boolean };
}

/** Fresh knobs at their defaults. */
export function defaultKnobs(): Knobs {
  return {
    minTtl: 60,
    batchLimit: 200,
    recordQuota: undefined,
    maxPerPage: 5000,
    settings: "full",
    errorForm: "current",
    propagationMs: 0,
    listLagMs: 0,
    deleteLagMs: 0,
    soaMinimum: 1800,
    flattenInZone: false,
    edge: { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
    rate: { limit: 1200, windowSeconds: 300, code: 971, retryAfter: true },
  };
}
