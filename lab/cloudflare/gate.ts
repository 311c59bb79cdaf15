import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { authenticate, authorize, type TokenScope } from "./auth";
import type { Clock } from "./clock";
import { failure } from "./envelope";
import type { Faults, Strike } from "./faults";
import type { Knobs } from "./knobs";
import { problems } from "./problems";
import type { Quota } from "./quota";
import type { Account, Zone } from "./account";

/** One request as the API saw it, as evidence. */
export interface ApiRequest {
  /** When it came in, milliseconds since the epoch by the lab's clock. */
  readonly ms: number;
  readonly method: string;
  /** As it was asked for, with prefix and query. */
  readonly path: string;
  /** The body's text; "" for none. */
  readonly body: string;
  /** Sent status; 0 while unanswered, and for ever when the connection was cut. */
  status: number;
  /** Milliseconds until the answer, by the lab's clock. */
  tookMs: number;
  /** The kind of the fault that struck it. */
  fault?: string;
}

/** What the HTTP side of the emulator works with. */
export interface ApiWorld {
  readonly clock: Clock;
  readonly knobs: Knobs;
  readonly account: Account;
  readonly tokens: ReadonlyMap<string, TokenScope>;
  readonly quota: Quota;
  readonly faults: Faults;
  readonly requests: ApiRequest[];
}

/** Hono's types for this application. */
export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: { text: string; scope: TokenScope; zone: Zone };
}

/** Records every request, and lets faults strike it before or after the ordinary handling. */
export function recordAndStrike(world: ApiWorld): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const text = await c.req.text();
    c.set("text", text);
    const ms = world.clock.now();
    const { method, path } = c.req;
    const asked = c.env.incoming.url ?? path;
    const entry: ApiRequest = { ms, method, path: asked, body: text, status: 0, tookMs: 0 };
    world.requests.push(entry);
    const strike = world.faults.strike({ method, path, body: text });
    if (strike) entry.fault = strike.act.kind;
    const answer = await handled(c, next, world, strike);
    if (answer) c.res = answer;
    entry.status = c.env.incoming.socket.destroyed ? 0 : c.res.status;
    entry.tookMs = world.clock.now() - ms;
  };
}

async function handled(
  c: Context<ApiEnv>,
  next: () => Promise<void>,
  world: ApiWorld,
  strike: Strike | undefined,
): Promise<Response | undefined> {
  const act = strike?.act;
  switch (act?.kind) {
    case "answer": {
      const body = failure([{ code: act.code, message: act.message ?? "Injected fault" }]);
      return Response.json(body, { status: act.status, headers: { ...act.headers } });
    }
    case "lie":
      return Response.json(
        failure([{ code: act.code ?? 10000, message: act.message ?? "Injected fault" }]),
      );
    case "hang":
      await untilReleased(c, strike?.released);
      return cut(c);
    case "dropBeforeCommit":
      return cut(c);
    case "commitThenDrop":
      await next();
      return cut(c);
    case "delay":
      await world.clock.sleep(act.ms, strike?.released);
      await next();
      return undefined;
    case undefined:
      await next();
      return undefined;
  }
}

function cut(c: Context<ApiEnv>): Response {
  c.env.incoming.socket.destroy();
  return new Response(null);
}

async function untilReleased(c: Context<ApiEnv>, released: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (released?.aborted) return resolve();
    released?.addEventListener("abort", () => resolve(), { once: true });
    c.env.incoming.socket.once("close", () => resolve());
  });
}

/** Who asks, and whether the quota still lets them. */
export function admit(world: ApiWorld): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const scope = authenticate((name) => c.req.header(name), world.tokens);
    const owner = scope.owner ?? "user";
    const blocked = world.quota.use(owner);
    for (const [name, value] of Object.entries(world.quota.headers(owner))) c.header(name, value);
    if (blocked) throw world.quota.problem();
    c.set("scope", scope);
    await next();
  };
}

/** Finds the zone of the path and checks the token against it. */
export function enterZone(world: ApiWorld): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const zone = world.account.byId(c.req.param("zone") ?? "");
    if (!zone) throw problems.noRoute(c.req.path);
    authorize(c.get("scope"), c.req.method, zone.name);
    c.set("zone", zone);
    await next();
  };
}
