import { existsSync } from "node:fs";
import { join } from "node:path";
import { GuardedPair } from "../../lab/guarded";
import { isAlive, signalProcess, until } from "../../lab/postgres/processes";

/** What a running guard obeys, and what it says of itself. */

let pair: GuardedPair;
beforeAll(async () => {
  pair = await GuardedPair.open();
  await pair.lab.a.service("start", "web");
  await pair.lab.a.service("start", "worker");
}, 60_000);
afterAll(() => pair.close(), 60_000);

const signalAt = (site: "a" | "b") =>
  existsSync(join(pair.lab.sites[site].cluster.dataDirectory, "standby.signal"));
const obeyed = (site: "a" | "b") => pair.state(site, "obeyed");
const running = async (name: string) => (await pair.lab.a.service("healthy", name)).exitCode === 0;

test("a switchover lets the site that is left serve on, and is reported as obeyed", async () => {
  pair.announce("switchover");
  const facts = await pair.verbs.holds("a", "site/witness", { value: "seen", ...pair.lines() });
  expect(facts).toContain(`obeyed=${pair.record.epoch}\n`);
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(true);
  expect(signalAt("a")).toBe(false);
}, 30_000);

test("a forged record of a failover is ignored and reported", async () => {
  const { zone } = pair.lab;
  const name = `_standby-shop.${zone}`;
  const [known] = pair.lab.cloudflare.records(zone).filter((record) => record.name === name);
  const content = known?.content.replace(/kind=\w+/, "kind=failover") ?? "";
  pair.lab.cloudflare.setRecord(zone, { name, type: "TXT", content, ttl: 60 });
  await until("the guard reports it", 10_000, () => /does not fit/.test(pair.lab.a.guardLog()));
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(true);
  pair.verbs.announce(pair.record);
}, 30_000);

test("a failover ends the server and all services, and the site stays fenced", async () => {
  pair.announce("failover");
  await pair.isFenced("a");
  await until("it is reported", 10_000, () => obeyed("a") === String(pair.record.epoch));
  expect(signalAt("a")).toBe(true);
  expect(pair.state("a", "maintenance")).toMatch(/^guard \d+$/);
  expect(await Promise.all(["web", "worker"].map(running))).toEqual([false, false]);
  expect(pair.lab.a.cluster.pid()).toBeUndefined();
  expect(pair.lab.a.guardLog()).toContain(
    `the witness of epoch ${pair.record.epoch} (failover) names site b`,
  );
}, 30_000);

test("set back, the site serves again and its web listener opens", async () => {
  await pair.resume();
  expect(await pair.writable("a")).toBe(true);
  await until("maintenance is over", 10_000, () => pair.state("a", "maintenance") === "");
}, 30_000);

test("two records of one epoch are doubt, and doubt is a veto", async () => {
  const { epoch } = pair.announce("switchover");
  await until("the first is obeyed", 10_000, () => obeyed("a") === String(epoch));
  pair.lab.cloudflare.dns.freeze(pair.lab.cloudflare.dnsAddresses[0]);
  // Neither of the two is a veto by itself.
  pair.verbs.announce({ ...pair.record, from: "b", to: "a", kind: "resume" });
  await pair.isFenced("a");
  expect(pair.lab.a.guardLog()).toContain(`two witness records of epoch ${epoch} differ`);
  pair.lab.cloudflare.dns.restore();
  await pair.resume();
}, 30_000);

test("a person's override holds until a newer epoch", async () => {
  pair.announce("failover");
  await until("it is obeyed", 10_000, () => obeyed("a") === String(pair.record.epoch));
  await pair.verbs.holds("a", "postgres/unfence", { value: "I-am-sure shop" });
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(true);
  pair.announce("failover");
  await pair.isFenced("a");
  await pair.resume();
}, 40_000);

test("the other site's own word that it serves is a veto", async () => {
  await pair.install("a", { dns: false });
  // By hand, past every rule: what the runner's acceptUnproven can lead to while a sees no name server.
  const lines = pair.verbs.transition(pair.next("failover"));
  await pair.verbs.holds("b", "site/maintenance", { value: "on", ...lines });
  await pair.lab.b.cluster.query("select pg_promote()");
  await until("a has heard it", 10_000, () => {
    return /says that it is the primary of epoch/.test(pair.lab.a.guardLog());
  });
  await pair.isFenced("a");
}, 30_000);

describe("what a guard says of itself", () => {
  test("without a service manager it is not supervised", async () => {
    const facts = await pair.observe("b");
    expect(facts).toMatchObject({ guard_running: "yes", guard_supervised: "no" });
    expect(facts["guard_isolation"]).toBe("either");
  });

  test("a stopped process counts as no guard, whatever it once said", async () => {
    const { pid } = pair.live("b");
    signalProcess(pid, "SIGSTOP");
    await until("its word has lapsed", 15_000, async () => {
      return (await pair.observe("b"))["guard_running"] === "no";
    });
    expect(await pair.observe("b")).toMatchObject({ guard_supervised: "no", guard_armed: "no" });
    signalProcess(pid, "SIGCONT");
    await until("it is back", 10_000, async () => {
      return (await pair.observe("b"))["guard_running"] === "yes";
    });
  }, 40_000);

  test("killed, it is started again; a new configuration needs no restart", async () => {
    const { pid } = pair.live("a");
    signalProcess(pid, "SIGKILL");
    await until("another one polls", 10_000, () => pair.live("a").pid !== pid);
    const second = pair.live("a").pid;
    expect(isAlive(second)).toBe(true);
    await pair.install("a", { isolation: "keep" });
    await until("it lives by the new rule", 10_000, () => pair.live("a").isolation === "keep");
    expect(pair.live("a").pid).toBe(second);
  }, 40_000);
});
