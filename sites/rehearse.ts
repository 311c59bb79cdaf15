import http from "node:http";
import https from "node:https";
import type { TLSSocket } from "node:tls";
import type { Rehearsal } from "../plan/dns/rehearsal";
import type { LiveRecord } from "../plan/dns/zone";
import type { SiteId } from "../plan/terms";

/** Tries every name at a site's own addresses, as if the pivot pointed there. Reads only; nothing is written anywhere. */
export interface RehearseOptions {
  readonly site: SiteId;
  readonly names: readonly string[];
  /** Every address of the site: all must work, for a client may take any. */
  readonly addresses: readonly string[];
  /** The pivot that the names must be aliases of, and the live zone that says whether they are. */
  readonly pivot: string;
  readonly live: readonly LiveRecord[];
  /** @default 443, or 80 without TLS */
  readonly port?: number;
  /** @default true */
  readonly secure?: boolean;
  /** What is asked for; below 500 is an answer. @default "/" */
  readonly path?: string;
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Days that a certificate must still last. @default 14 */
  readonly days?: number;
  /** Names that are tried at once. @default 20 */
  readonly parallel?: number;
  /** Milliseconds a name may take at one address. @default 5000 */
  readonly timeoutMs?: number;
}

const DAY_MS = 86_400_000;

export async function rehearse(options: RehearseOptions): Promise<Rehearsal> {
  const { names, site } = options;
  const behind = new Set(
    options.live
      .filter((one) => one.type === "CNAME" && one.content === options.pivot)
      .map((one) => one.name),
  );
  const faults: { name: string; what: string }[] = [];
  const waiting = names.entries();
  const lane = async () => {
    for (const [, name] of waiting) {
      const what = behind.has(name)
        ? await faultOf(name, options)
        : `it is no alias of ${options.pivot} in the live zone, and would not move`;
      if (what !== undefined) faults.push({ name, what });
    }
  };
  await Promise.all(Array.from({ length: options.parallel ?? 20 }, lane));
  const order = new Map(names.map((name, n) => [name, n]));
  faults.sort((one, two) => (order.get(one.name) ?? 0) - (order.get(two.name) ?? 0));
  return { site, names: names.length, works: names.length - faults.length, faults };
}

/** The first thing that would not work, if any. */
async function faultOf(name: string, options: RehearseOptions): Promise<string | undefined> {
  // A wildcard stands for the names below it; one is tried.
  const asked = name.replace(/^\*\./, "standby-rehearsal.");
  for (const address of options.addresses) {
    try {
      const { status, ends } = await visit(asked, address, options);
      if (status >= 500) return `HTTP ${status} at ${address}`;
      const left = ends === undefined ? Infinity : Math.floor((ends - options.now) / DAY_MS);
      if (left < (options.days ?? 14)) return `its certificate at ${address} ends in ${left} days`;
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)} (${address})`;
    }
  }
  return undefined;
}

interface Visit {
  readonly status: number;
  /** When the certificate ends, milliseconds since the epoch. */
  readonly ends?: number;
}

/** One request to an address under a name: chain and subject are checked by Node as a browser would. */
function visit(name: string, address: string, options: RehearseOptions): Promise<Visit> {
  const { secure = true, path = "/", ca, timeoutMs = 5000 } = options;
  const common = {
    ...{ host: address, port: options.port ?? (secure ? 443 : 80), path, method: "GET" },
    headers: { host: name },
    signal: AbortSignal.timeout(timeoutMs),
    agent: false as const,
  };
  return new Promise((resolve, reject) => {
    const answered = (response: http.IncomingMessage) => {
      response.resume();
      const status = response.statusCode ?? 0;
      const socket = response.socket as Partial<TLSSocket>;
      const ends = secure ? socket.getPeerCertificate?.().valid_to : undefined;
      resolve({ status, ...(ends === undefined ? {} : { ends: Date.parse(ends) }) });
      response.socket.destroy();
    };
    const tls = { ...common, servername: name, ...(ca === undefined ? {} : { ca }) };
    const request = secure ? https.get(tls, answered) : http.get(common, answered);
    request.on("error", reject);
  });
}
