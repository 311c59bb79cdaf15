import { Hono } from "hono";
import { z } from "zod";
import { wireZone } from "./account";
import { authorize, sees } from "./auth";
import { failure, success, successPage } from "./envelope";
import { admit, type ApiEnv, type ApiWorld, enterZone, recordAndStrike } from "./gate";
import { asOf, paged, selected } from "./listing";
import { RecordOperations } from "./operations";
import { ApiProblem, problems } from "./problems";
import { wireRecord } from "./records";
import { hostName, parseBody } from "./validation";

const zoneBody = z.object({ name: z.string().min(1) });
const zonePatch = z.object({ paused: z.boolean().optional() });
const prefix = /^\/client\/v4(?=\/|$)/;

/** The HTTP surface; `/client/v4/...` and `/...` are the same. */
export function createApi(world: ApiWorld): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>({
    getPath: (request) => new URL(request.url).pathname.replace(prefix, "") || "/",
  });
  app.use("*", recordAndStrike(world), admit(world));
  app.use("/zones/:zone/*", enterZone(world));
  zoneRoutes(app, world);
  recordRoutes(app, world);
  app.get("/user/tokens/verify", (c) => c.json(success({ id: "0".repeat(32), status: "active" })));
  app.notFound((c) => refused(problems.noRoute(c.req.path), world, c.res.headers));
  app.onError((error, c) => {
    if (error instanceof ApiProblem) return refused(error, world, c.res.headers);
    throw error;
  });
  return app;
}

function refused(problem: ApiProblem, world: ApiWorld, sent: Headers): Response {
  const shown = world.knobs.errorForm === "chained" ? problem.chained() : problem;
  const headers = new Headers(sent);
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(failure(shown.errors)), { status: shown.status, headers });
}

function zoneRoutes(app: Hono<ApiEnv>, world: ApiWorld): void {
  app.get("/zones", (c) => {
    const query = c.req.query();
    const name = query["name"] === undefined ? undefined : hostName(query["name"]);
    const zones = world.account
      .zones()
      .filter((z) => sees(c.get("scope"), z.name) && (name === undefined || z.name === name));
    return c.json(successPage(paged(zones, query, 20, 50), wireZone));
  });
  app.post("/zones", (c) => {
    const { name } = parseBody(zoneBody, parsed(c.get("text")));
    authorize(c.get("scope"), "POST", hostName(name));
    return c.json(success(wireZone(world.account.add({ name }))));
  });
  app.get("/zones/:zone", (c) => c.json(success(wireZone(c.get("zone")))));
  app.patch("/zones/:zone", (c) => {
    const zone = c.get("zone");
    zone.paused = parseBody(zonePatch, parsed(c.get("text"))).paused ?? zone.paused;
    zone.modifiedMs = world.clock.now();
    return c.json(success(wireZone(zone)));
  });
  app.delete("/zones/:zone", (c) => {
    world.account.remove(c.get("zone"), "api");
    return c.json(success({ id: c.get("zone").id }));
  });
}

function recordRoutes(app: Hono<ApiEnv>, world: ApiWorld): void {
  const { knobs } = world;
  const wire = (record: Parameters<typeof wireRecord>[0]): object => wireRecord(record, knobs);
  const on = (c: { get(key: "zone"): ApiEnv["Variables"]["zone"] }): RecordOperations =>
    new RecordOperations(c.get("zone").records, knobs);
  const list = "/zones/:zone/dns_records";
  const one = "/zones/:zone/dns_records/:id";

  app.get(list, (c) => {
    const { records, name } = c.get("zone");
    const seen = asOf(
      records.all(),
      world.account.changes(name),
      world.clock.now() - knobs.listLagMs,
    );
    const found = selected(seen, c.req.query());
    return c.json(successPage(paged(found, c.req.query(), 100, knobs.maxPerPage), wire));
  });
  app.post(list, (c) => c.json(success(wire(on(c).post(parsed(c.get("text")))))));
  app.post(`${list}/batch`, (c) => c.json(success(on(c).batch(parsed(c.get("text"))))));
  app.get(one, (c) => c.json(success(wire(c.get("zone").records.get(c.req.param("id"))))));
  app.put(one, (c) => {
    const record = on(c).put(c.req.param("id"), parsed(c.get("text")));
    return c.json(success(wire(record)));
  });
  app.patch(one, (c) => {
    const record = on(c).patch(c.req.param("id"), parsed(c.get("text")));
    return c.json(success(wire(record)));
  });
  app.delete(one, (c) => c.json(success({ id: on(c).remove(c.req.param("id")).id })));
  app.all(one, () => {
    throw problems.method();
  });
  app.all(list, () => {
    throw problems.method();
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw problems.body("It is not JSON.");
  }
}
