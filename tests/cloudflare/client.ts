import { z } from "zod";
import {
  type CloudflareLab,
  type CloudflareLabOptions,
  startCloudflareLab,
} from "../../lab/cloudflare";

/** The zone's id in every test of this folder. */
export const zoneId = "a".repeat(32);
/** Path of its records. */
export const recordsPath = `/zones/${zoneId}/dns_records`;

const envelope = z.object({
  success: z.boolean(),
  result: z.unknown(),
  errors: z.array(
    z.object({
      code: z.number(),
      message: z.string(),
      error_chain: z.array(z.object({ code: z.number(), message: z.string() })).optional(),
    }),
  ),
  messages: z.array(z.unknown()),
  result_info: z
    .object({
      page: z.number(),
      per_page: z.number(),
      count: z.number(),
      total_count: z.number(),
      total_pages: z.number(),
    })
    .optional(),
});
const recordShape = z.looseObject({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  ttl: z.number(),
});

/** An answer of the API, parsed; `codes` = of all errors. */
export interface Answered extends z.infer<typeof envelope> {
  status: number;
  headers: Headers;
  codes: number[];
}

const labs: CloudflareLab[] = [];

/** A lab with the zone shop.test that ends after the test. */
export async function lab(options: Partial<CloudflareLabOptions> = {}): Promise<CloudflareLab> {
  const started = await startCloudflareLab({
    zones: [{ name: "shop.test", id: zoneId }],
    ...options,
  });
  labs.push(started);
  return started;
}

/** For afterEach. */
export async function closeLabs(): Promise<void> {
  await Promise.all(labs.splice(0).map((l) => l.close()));
}

/** One request; rejects when the connection is cut. */
export async function call(
  on: CloudflareLab,
  method: string,
  path: string,
  body?: unknown,
  options: { token?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Answered> {
  const response = await fetch(on.apiUrl + path, {
    method,
    headers: options.headers ?? { Authorization: `Bearer ${options.token ?? on.token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const parsed = envelope.parse(await response.json());
  const codes = parsed.errors.map((e) => e.code);
  return { ...parsed, status: response.status, headers: response.headers, codes };
}

/** The one record of an answer. */
export function recordOf(answered: Answered): z.infer<typeof recordShape> {
  return recordShape.parse(answered.result);
}

/** The records of a list answer. */
export function listOf(answered: Answered): z.infer<typeof recordShape>[] {
  return z.array(recordShape).parse(answered.result);
}

/** Creates a record and gives its id; fails the test when the API refuses. */
export async function create(on: CloudflareLab, body: unknown): Promise<string> {
  return recordOf(await call(on, "POST", recordsPath, body)).id;
}
