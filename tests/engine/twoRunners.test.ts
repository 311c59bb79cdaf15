// Another runner gets in between: before the epoch is announced, before the pivot is written, and after it.
import { randomBytes } from "node:crypto";
import { refusalOf } from "../../lab/flip";
import type { RunResult } from "../../lab/engine/engine";
import { Tour } from "../../lab/tour";
import { changes, planOf, up, writableSites } from "./pair";

jest.setTimeout(300_000);
let tour: Tour;
beforeAll(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

const zone = () => tour.lab.zone;
const records = () => tour.lab.cloudflare.records(zone());
const pivot = () => records().find((one) => one.name === `active.${zone()}`)?.content;
const claims = () =>
  records().flatMap(({ name }) => (/^e\d+\._standby\./.test(name) ? [name] : []));
const point = (site: "a" | "b") =>
  tour.lab.cloudflare.setRecord(zone(), {
    ...{ name: `active.${zone()}`, type: "CNAME", ttl: 60, content: `site-${site}.${zone()}` },
  });
const claim = (epoch: number) =>
  tour.lab.cloudflare.setRecord(zone(), {
    ...{ name: `e${epoch}._standby.${zone()}`, type: "CNAME", ttl: 60 },
    content: `${randomBytes(4).toString("hex")}.shop._standby.${zone()}`,
  });

/** An update in which something happens just before a step begins. */
async function meanwhile(
  config: Readonly<Record<string, string>>,
  step: string,
  act: () => void,
): Promise<RunResult> {
  return tour.update(config, (event) => {
    if (event.kind === "pre" && event.urn.endsWith(`::shop-${step}`)) act();
  });
}
const said = (result: RunResult) => result.diagnostics.map((one) => one.message).join("\n");

test("the first epoch is claimed, and a quiet update claims nothing", async () => {
  expect(claims()).toEqual([`e1._standby.${zone()}`]);
  const requests = () =>
    tour.lab.cloudflare.requests().filter((one) => one.method !== "GET").length;
  const before = requests();
  expect(changes(await up(tour, {}))).toBe(0);
  expect(requests()).toBe(before);
});

test("an epoch that another runner claimed is not announced, and nothing stops", async () => {
  const witness = records().find((one) => one.type === "TXT")?.content;
  const result = await meanwhile({ activeSite: "b" }, "preflight", () => claim(2));
  expect(result.exitCode).not.toBe(0);
  expect(refusalOf(result)).toContain("epoch 2 is claimed by another runner: e2._standby.");
  expect(refusalOf(result)).toContain("HINT:");
  expect(records().find((one) => one.type === "TXT")?.content).toBe(witness);
  expect(await writableSites(tour)).toEqual(["a"]);
});

test("with the dead runner's claim deleted the same update goes on; old claims go with it", async () => {
  tour.lab.cloudflare.deleteRecord(zone(), `e2._standby.${zone()}`);
  const result = await up(tour, {});
  expect(planOf(result)).toMatchObject({ transition: "switchover", epoch: 2 });
  expect(claims()).toEqual([`e2._standby.${zone()}`]);
  expect(said(result)).toMatch(
    /seen: API 1\/1, here \d+\/\d+ \(\d servers\), site a 2\/2, site b 2\/2/,
  );
  expect(changes(await up(tour, {}))).toBe(0);
});

test("a newer epoch that was opened meanwhile keeps the pivot as it is, and says so", async () => {
  const result = await meanwhile({ activeSite: "a" }, "serve", () => claim(4));
  expect(result.exitCode).not.toBe(0);
  expect(refusalOf(result)).toContain("epoch 4 was opened while this run of epoch 3 was away");
  expect(pivot()).toBe(`site-b.${zone()}`);
  expect(await writableSites(tour)).toEqual(["a"]);
  tour.lab.cloudflare.deleteRecord(zone(), `e4._standby.${zone()}`);
  await up(tour, {});
  expect(pivot()).toBe(`site-a.${zone()}`);
});

test("a late write within the watch fails the update and is named; a refresh puts the pivot back", async () => {
  const wrote = tour.update({ activeSite: "b", watchSeconds: "2" }, (event) => {
    if (event.kind === "diagnostic" && event.diagnostic.message.startsWith("applied;")) point("a");
  });
  const result = await wrote;
  expect(result.exitCode).not.toBe(0);
  expect(refusalOf(result)).toContain(`late write: 2 s after the update was done active.${zone()}`);
  expect(refusalOf(result)).toContain("pulumi up --refresh");

  const rest = await up(tour, { watchSeconds: "0" });
  expect(changes(rest)).toBe(0);
  expect(said(rest)).toContain(`late write: active.${zone()} points to site a`);
  await tour.engine.refresh();
  await up(tour, {});
  expect(pivot()).toBe(`site-b.${zone()}`);
  const quiet = await up(tour, {});
  expect(changes(quiet)).toBe(0);
  expect(said(quiet)).not.toContain("late write");
});

test("an API that falls silent before the pivot: it is not sent for, DNS is pending, the next update finishes", async () => {
  const silence: { remove?: () => void } = {};
  const result = await meanwhile({ activeSite: "a" }, "serve", () => {
    silence.remove = tour.lab.cloudflare.faults.add({ act: { kind: "hang" } }).remove;
  });
  silence.remove?.();
  expect(result.exitCode).not.toBe(0);
  expect(said(result)).toContain(`DNS pending: active.${zone()} is not written`);
  expect(await writableSites(tour)).toEqual(["a"]);
  expect((await tour.engine.exportStack()).deployment.pending_operations ?? []).toEqual([]);
  await up(tour, {});
  expect(pivot()).toBe(`site-a.${zone()}`);
  expect(changes(await up(tour, {}))).toBe(0);
});
