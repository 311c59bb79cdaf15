// Killed anywhere, the next update is the rest: nothing lost, never two writers, and a third update changes nothing.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { warm } from "../../lab/flip";
import { Tour } from "../../lab/tour";
import { killedAt, startUp, unlocked } from "./killing";
import { changes, endedAt, otherSite, planOf, up, writableSites, type SiteId } from "./pair";

jest.setTimeout(600_000);
let tour: Tour;
let at: SiteId = "a";
beforeAll(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

const locked = () => existsSync(join(tour.lab.dir, "stack", "locks"));
const BEFORE = ["preflight", "witness", "seen", "drain", "fence", "verify", "promote", "serve"];
const STEPS = [...BEFORE, "pivot-shop.test", "outside", "rejoin", "settle"];
// Every second step, engine and program in turn; with STANDBY_KILLS=all each step with both, which takes minutes.
const CASES = STEPS.flatMap((step, index) =>
  (["engine", "program"] as const)
    .filter((_, one) => process.env.STANDBY_KILLS === "all" || index % 4 === 2 * one)
    .map((victim) => [victim, step] as const),
);

test.each(CASES)("SIGKILL of the %s at %s: the next update is the rest", async (victim, step) => {
  const to = otherSite(at);
  await tour.engine.setConfig("activeSite", to);
  tour.startClients({ delayMs: 2 });
  const { ledger, sampler } = tour.clients;
  await warm(() => ledger.acked() > 100);
  expect(await killedAt(tour, step, victim)).toBe(true);
  expect(unlocked(tour)).toBe(0);
  await up(tour, {});
  const before = ledger.acked();
  await warm(() => ledger.acked() > before + 100);
  await tour.stopClients();
  const report = await tour.account(to);
  expect(report.acked).toBeGreaterThan(200);
  expect(report.lost).toEqual([]);
  expect(report.overlappingAcks).toBe(0);
  expect(sampler.twoWriterSamples).toBe(0);
  expect(await writableSites(tour)).toEqual([to]);
  at = to;
  expect(changes(await up(tour, {}))).toBe(0);
});

test("fenced, failed at promote, set back, flipped again: the fence runs again", async () => {
  const to = otherSite(at);
  await tour.engine.setConfig("activeSite", to);
  expect((await endedAt(tour, "permit-consumed")).exitCode).not.toBe(0);
  const back = await up(tour, { activeSite: at });
  expect(planOf(back).transition).toBe("resume");
  expect(await writableSites(tour)).toEqual([at]);
  const again = await up(tour, { activeSite: to });
  expect(planOf(again)).toMatchObject({ transition: "switchover", states: { fence: "todo" } });
  const fence = again.steps.find((one) => one.urn.endsWith("::shop-fence"));
  expect(fence).toMatchObject({ op: "update", ok: true });
  expect(await writableSites(tour)).toEqual([to]);
  at = to;
  expect(changes(await up(tour, {}))).toBe(0);
});

test.each(["fence", "promote"])(
  "SIGINT at %s: ends soon, and the next update takes it up",
  async (step) => {
    const to = otherSite(at);
    await tour.engine.setConfig("activeSite", to);
    let sentAt = 0;
    const { exited } = startUp(tour, (line, engine) => {
      if (sentAt > 0 || !line.startsWith("pre ") || !line.endsWith(`::shop-${step}`)) return;
      sentAt = Date.now();
      engine.kill("SIGINT");
    });
    expect(await exited).toBe(1);
    expect(Date.now() - sentAt).toBeLessThan(5000);
    // Nothing is left that a person would have to clear away.
    const checkpoint = await tour.engine.exportStack();
    expect(checkpoint.deployment.pending_operations ?? []).toEqual([]);
    expect(unlocked(tour)).toBe(0);
    await up(tour, {});
    expect(await writableSites(tour)).toEqual([to]);
    at = to;
    expect(changes(await up(tour, {}))).toBe(0);
  },
);

test("a stack whose update is alive is not unlocked", async () => {
  const to = otherSite(at);
  await tour.engine.setConfig("activeSite", to);
  let code = 0;
  const { exited } = startUp(tour, (line) => {
    if (line.startsWith("pre ") && line.endsWith("::shop-preflight")) code = unlocked(tour);
  });
  expect(await exited).toBe(0);
  expect(code).toBe(75);
  at = to;
});

afterEach(() => {
  if (!locked()) return;
  rmSync(join(tour.lab.dir, "stack", "locks"), { recursive: true, force: true });
});
