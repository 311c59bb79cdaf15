import { z } from "zod";
import type { LiveRecord, ZoneSurvey } from "../plan/dns/zone";

/**
 * Cloudflare's API as far as the vendor's own provider leaves a gap: lists, batches, bounded time, and `success` checked.
 * Nothing here retries: a repeated POST makes orphans, and whoever calls looks again before it writes again.
 */

/** Whom to ask, and as whom. */
export interface ApiAccess {
  /** Without a slash at the end, such as `https://api.cloudflare.com/client/v4`. */
  readonly base: string;
  /** Secret. */
  readonly token: string;
  /** Milliseconds a single call may take. @default 5000 */
  readonly timeoutMs?: number;
}

export const CLOUDFLARE_API = "https://api.cloudflare.com/client/v4";
const CALL_MS = 5000;
/** The largest page the API is known to give. */
const PAGE = 5000;

/** A "no" of the API, or no answer at all (status 0). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly codes: readonly number[],
    message: string,
  ) {
    super(message);
    this.name = "ApiProblem";
  }
}

const recordSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.string(),
    content: z.string().default(""),
    ttl: z.number(),
    proxied: z.boolean().default(false),
  })
  .transform((record): LiveRecord => ({ ...record, name: record.name.toLowerCase() }));

const envelopeSchema = z.object({
  success: z.boolean(),
  result: z.unknown(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result_info: z.object({ total_pages: z.number().optional() }).nullish(),
});

interface Answer {
  readonly result: unknown;
  readonly pages: number | undefined;
  readonly headers: Headers;
}

/** One call. Throws ApiProblem for anything but a success. */
export async function apiCall(
  access: ApiAccess,
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await fetch(`${access.base.replace(/\/$/, "")}/${path}`, {
    method,
    headers: { authorization: `Bearer ${access.token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(access.timeoutMs ?? CALL_MS),
  }).catch((error: unknown) => {
    throw new ApiProblem(0, [], `the API did not answer (${messageOf(error)})`);
  });
  const parsed = envelopeSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new ApiProblem(
      response.status,
      [],
      `the API answered ${response.status} without its envelope`,
    );
  }
  const { success, errors, result, result_info: info } = parsed.data;
  if (!response.ok || !success) {
    const said = errors.map((one) => `${one.code} ${one.message}`).join("; ");
    const codes = errors.map((one) => one.code);
    throw new ApiProblem(
      response.status,
      codes,
      `the API answered ${response.status} ${said}`.trim(),
    );
  }
  return { result, pages: info?.total_pages, headers: response.headers };
}

/** What an error says, with the cause that fetch hides behind "fetch failed". */
export function messageOf(error: unknown): string {
  const cause =
    error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return error instanceof Error ? `${error.message}${cause}` : String(error);
}

/** All records of a zone, in ceil(N/5000) calls. Throws ApiProblem. */
export async function listZone(
  access: ApiAccess,
  zone: string,
  zoneId: string,
): Promise<ZoneSurvey> {
  const records: LiveRecord[] = [];
  let quota: ZoneSurvey["quota"];
  for (let page = 1; ; page += 1) {
    const path = `zones/${zoneId}/dns_records?per_page=${PAGE}&page=${page}`;
    const { result, pages, headers } = await apiCall(access, "GET", path);
    const found = z.array(recordSchema).parse(result);
    // One by one: a spread of 100,000 arguments overflows the stack.
    for (const record of found) records.push(record);
    quota = quotaOf(headers) ?? quota;
    const last = pages === undefined ? found.length === 0 : page >= pages;
    if (last) return { zone, records, calls: page, ...(quota === undefined ? {} : { quota }) };
  }
}

/** What the token may do in a zone, as the zone reports; one call. Throws ApiProblem. */
export async function zonePermissions(
  access: ApiAccess,
  zoneId: string,
): Promise<readonly string[] | undefined> {
  const { result } = await apiCall(access, "GET", `zones/${zoneId}`);
  return z.object({ permissions: z.array(z.string()).optional() }).parse(result).permissions;
}

/** `Ratelimit: "default";r=50;t=30`. */
function quotaOf(headers: Headers): ZoneSurvey["quota"] {
  const match = /\br=(\d+);\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "");
  return match === null ? undefined : { left: Number(match[1]), seconds: Number(match[2]) };
}

/** Changes that are made together or not at all. */
export interface RecordBatch {
  readonly deletes?: readonly { readonly id: string }[];
  readonly patches?: readonly ({ readonly id: string } & Partial<LiveRecord>)[];
  readonly posts?: readonly Omit<LiveRecord, "id">[];
}

/** One batch. Throws ApiProblem; then nothing was changed, unless no answer came (status 0): look before anything else. */
export async function batch(
  access: ApiAccess,
  zoneId: string,
  changes: RecordBatch,
): Promise<void> {
  await apiCall(access, "POST", `zones/${zoneId}/dns_records/batch`, changes);
}
