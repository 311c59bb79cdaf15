import { Provider } from "@pulumi/cloudflare/provider";
import { StandbyPair } from "../../components";
import type { Observed } from "../../plan/observed";
import { pairArgs } from "../input/args";
import { change, observe, type World } from "../plan/world";
import { atRest } from "../plan/worlds";
import { mocked, type Monitor, type Registered } from "./monitor";

/** The pair's resources in an update, at sites that answer: at rest, and in a switchover. */

let seen: Observed;
jest.mock("../../sites/observe", () => ({ observeSites: () => Promise.resolve(seen.sites) }));
jest.mock("../../sites/nameServers", () => ({
  authoritativeServers: () => Promise.resolve(["127.0.0.1#5300"]),
  observeWitness: () => Promise.resolve(seen.dns.witness),
  observePivots: () => Promise.resolve(seen.dns.pivots),
}));

const TOKEN = "v1,7,1,0/1000,0/1080,aa,0/0,bb,2,2-x";
let monitor: Monitor;
beforeAll(async () => {
  monitor = await mocked(false, (name) => {
    if (name.endsWith("-password")) return { result: "Dr4wn-Secret" };
    if (name.endsWith("-fence")) return { stdout: `fenced=yes\ntoken=${TOKEN}\n` };
    if (name.endsWith("-verify")) return { stdout: "loss=0\npermit=2,2-x\n" };
    return { stdout: "" };
  });
});

const service = { start: "start", stop: "stop", healthy: "ask" };

/** What one update of a pair registers, by the step's id. */
async function update(name: string, activeSite: string): Promise<(id: string) => Registered> {
  const args = pairArgs();
  const site = (id: "a" | "b") => ({ ...args.sites[id], postgres: { host: `db-${id}` } });
  const pair = new StandbyPair(name, {
    ...args,
    activeSite,
    sites: { a: site("a"), b: site("b") },
    services: [
      { name: "web-1", kind: "web", ...service },
      { name: "jobs", kind: "worker", ...service },
    ],
    // A provider of its own: the program holds no token, and the records themselves will tell.
    dns: { cloudflare: { ...args.dns.cloudflare, provider: new Provider(`${name}-provider`) } },
  });
  await new Promise((resolve) => pair.checklist.apply(resolve));
  await monitor.until(`${name}-www.example.com`);
  return (id) => monitor.named(`${name}-${id}`);
}

const environment = (one: Registered) => one.inputs["environment"] as Record<string, unknown>;

/** The model's pair at rest, prepared as this program's own prepare step would. */
async function prepared(): Promise<World> {
  const world = atRest("a");
  seen = observe(world);
  const text = String((await update("probe", "b"))("prepare").inputs["stdin"]);
  const hashes = ["a", "b"].map((site) => {
    const input = new RegExp(`^part ${site} postgres_prepare .*\\n(?:.*\\n)*?value=(\\S+)$`, "m");
    return input.exec(text)?.[1];
  });
  const [a, b] = hashes;
  if (a === undefined || b === undefined) throw new Error(text.slice(-2000));
  return change(change(world, "a", { prepared: a }), "b", { prepared: b });
}

test("at rest every step ignores every change, runs nothing and is given nothing", async () => {
  seen = observe(await prepared());
  const quiet = await update("quiet", "a");
  for (const id of ["preflight", "fence", "verify", "promote", "serve", "rejoin", "settle"]) {
    expect([id, quiet(id).ignored]).toEqual([id, ["*"]]);
    expect(environment(quiet(id))).toMatchObject({ FACTS: "", SECRET: "" });
  }
  expect(quiet("pivot-example.com").ignored).toEqual(["content"]);
  expect(quiet("witness").ignored).toEqual(["content"]);
  expect(String(quiet("promote").inputs["stdin"])).not.toContain("pg_promote");
});

test("in a switchover every step carries the run, and the facts it names", async () => {
  seen = observe(await prepared());
  const flip = await update("flip", "b");
  const steps = monitor.made.filter((one) => one.parent === "flip-runbook");
  const runs = new Set(
    steps.map((one) => environment(one) as unknown).map((env) => (env as { RUN?: string })?.RUN),
  );
  runs.delete(undefined);
  expect([...runs]).toEqual([expect.stringMatching(/^2-[0-9a-f]+$/)]);
  expect(environment(flip("verify"))["FACTS"]).toBe(`token=${TOKEN}`);
  expect(environment(flip("promote"))["FACTS"]).toBe("");
  expect(environment(flip("serve"))["FACTS"]).toBe("");
  for (const id of ["fence", "verify", "promote"]) expect(flip(id).ignored).toEqual([]);
  expect(flip("verify").dependencies).toContain("flip-fence");
  expect(flip("promote").dependencies).toContain("flip-verify");
});

test("a pair that was renamed in the program says so; the engine takes its children along", async () => {
  seen = observe(await prepared());
  const args = pairArgs();
  const pair = new StandbyPair("moved", args, { aliases: [{ name: "older" }] });
  await new Promise((resolve) => pair.checklist.apply(resolve));
  await monitor.until("moved-fence");
  expect(monitor.named("moved").aliases).toEqual([expect.stringMatching(/::older$/)]);
});
