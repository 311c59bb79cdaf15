import { get } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { resolveAt, type NameServer } from "./names";
import { nowMs } from "./operations";
import { longestGap, type Gap } from "./report";

/** One request through the public name. `site` is the one that answered, if any did. */
export interface WebSample {
  readonly startMs: number;
  readonly endMs: number;
  readonly ok: boolean;
  readonly site?: string;
  readonly status?: number;
  readonly error?: string;
}

export interface WebClientOptions {
  readonly dns: NameServer;
  readonly name: string;
  readonly port: number;
  /** @default "/work", a request that writes a row */
  readonly path?: string;
  /** Pause between two requests, in milliseconds. @default 10 */
  readonly everyMs?: number;
  /** A request without an answer for this long counts as failed. @default 500 */
  readonly timeoutMs?: number;
}

/** A visitor that asks the public name without pause, on a fresh connection and a fresh address each time. */
export class WebClient {
  readonly samples: WebSample[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  private constructor(private readonly options: WebClientOptions) {
    this.#done = this.#run();
  }

  static start(options: WebClientOptions): WebClient {
    return new WebClient(options);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** The longest time without a good answer that touches the window. */
  publicGap(fromMs?: number, toMs?: number): Gap | undefined {
    const moments = this.samples.filter((sample) => sample.ok).map((sample) => sample.endMs);
    return longestGap(moments, fromMs, toMs);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.samples.push(await visit(this.options));
      await pause(this.options.everyMs ?? 10);
    }
  }
}

/** One request through the public name; never throws. */
export async function visit(options: WebClientOptions): Promise<WebSample> {
  const startMs = nowMs();
  try {
    const host = await resolveAt(options.dns, options.name, options.timeoutMs ?? 500);
    const { status, body } = await request(host, options);
    const site = /^site=([a-z0-9]+)/.exec(body)?.[1];
    const seen = site === undefined ? {} : { site };
    return { startMs, endMs: nowMs(), ok: status === 200, status, ...seen };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { startMs, endMs: nowMs(), ok: false, error: text };
  }
}

function request(
  host: string,
  options: WebClientOptions,
): Promise<{ status: number; body: string }> {
  const { port, name, path = "/work", timeoutMs = 500 } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const sent = get(
      { host, port, path, agent: false, signal, headers: { host: name, connection: "close" } },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body });
        });
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
  });
}
