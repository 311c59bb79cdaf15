/**
 * HTTP to the Cloudflare API, with the retries of the real provider: transport errors, 408, 409,
 * 429 and 5xx, at most ten times, waiting 2, 4, 8, 16, 30 s ... or Retry-After when it is below 60.
 *
 * Two traps of the real one are kept: a POST is retried too (so a lost answer makes a second
 * record), and an answer with `success: false` but status 200 is taken as success. One is not: the
 * real client has no deadline at all; this one gives up after LAB_HTTP_DEADLINE seconds (60).
 */
import * as http from "node:http";
import * as https from "node:https";
import { Act } from "./kind";
import { Props, isObject } from "../values";

const DEFAULT_BASE = "https://api.cloudflare.com/client/v4/";
const RETRIES = 10;
const DEFAULT_DEADLINE = 60;

/** An answer whose status is 400 or more. */
export class ApiError extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/**
 * One call; returns the `result` of the answer.
 *
 * @throws ApiError for a status of 400 or more after the retries, Error when no answer came.
 */
export async function call(
  method: string,
  path: string,
  body: Props | undefined,
  act: Act,
): Promise<unknown> {
  const url = new URL(path, baseUrl(act));
  const deadline = Date.now() + 1000 * deadlineSeconds(act);
  for (let attempt = 0; ; attempt++) {
    const answer = await send(method, url, body, act, deadline).catch((error: Error) => error);
    if (!isWorthRetrying(answer) || attempt === RETRIES || act.signal.aborted) {
      return resultOf(answer, method, url);
    }
    const wait = waitBefore(answer, attempt);
    if (Date.now() + wait >= deadline) return resultOf(answer, method, url);
    await pause(wait, act.signal);
  }
}

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly retryAfter: number | undefined;
  readonly text: string;
}

function send(
  method: string,
  url: URL,
  body: Props | undefined,
  act: Act,
  deadline: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request = (url.protocol === "https:" ? https : http).request(url, {
      method,
      headers: headersOf(act, text),
      signal: act.signal,
    });
    const timer = setTimeout(
      () => request.destroy(new Error("no answer before LAB_HTTP_DEADLINE")),
      Math.max(1, deadline - Date.now()),
    );
    request.on("error", reject);
    request.on("close", () => clearTimeout(timer));
    request.on("response", (response) => {
      let received = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (received += part));
      response.on("error", reject);
      response.on("end", () => resolve(answerOf(response, received)));
    });
    request.end(text);
  });
}

function headersOf(act: Act, text: string | undefined): http.OutgoingHttpHeaders {
  const token = act.provider.apiToken ?? act.env.CLOUDFLARE_API_TOKEN;
  const headers: http.OutgoingHttpHeaders = { accept: "application/json" };
  if (typeof token === "string") headers.authorization = `Bearer ${token}`;
  if (text !== undefined) {
    headers["content-type"] = "application/json";
    headers["content-length"] = Buffer.byteLength(text);
  }
  return headers;
}

function answerOf(response: http.IncomingMessage, text: string): Answer {
  const seconds = Number(response.headers["retry-after"]);
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? "",
    retryAfter: Number.isFinite(seconds) && seconds >= 0 && seconds < 60 ? seconds : undefined,
    text,
  };
}

function isWorthRetrying(answer: Answer | Error): boolean {
  if (answer instanceof Error) return true;
  return [408, 409, 429].includes(answer.status) || answer.status >= 500;
}

function waitBefore(answer: Answer | Error, attempt: number): number {
  if (!(answer instanceof Error) && answer.retryAfter !== undefined)
    return 1000 * answer.retryAfter;
  const seconds = Math.min(30, 2 ** (attempt + 1));
  return 1000 * seconds * (1 - 0.25 * Math.random());
}

function resultOf(answer: Answer | Error, method: string, url: URL): unknown {
  const prefix = `failed to make http request: ${method} "${url.href}"`;
  if (answer instanceof Error) throw new Error(`${prefix}: ${answer.message}`);
  if (answer.status >= 400) {
    const told = `${prefix}: ${answer.status} ${answer.reason} ${answer.text}`;
    throw new ApiError(told.trimEnd(), answer.status);
  }
  if (answer.text === "") return undefined;
  try {
    const parsed: unknown = JSON.parse(answer.text);
    return isObject(parsed) ? parsed.result : undefined;
  } catch {
    throw new Error(`${prefix}: the answer is not JSON: ${answer.text.slice(0, 200)}`);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}

function baseUrl(act: Act): string {
  const base = act.provider.baseUrl ?? act.env.CLOUDFLARE_BASE_URL ?? DEFAULT_BASE;
  return String(base).endsWith("/") ? String(base) : `${String(base)}/`;
}

function deadlineSeconds(act: Act): number {
  const wish = Number(act.env.LAB_HTTP_DEADLINE);
  return wish > 0 ? wish : DEFAULT_DEADLINE;
}
