import { existsSync } from "node:fs";
import { startLab, type Lab } from "../../lab/lab";
import { Ledger, LEDGER_ROWS } from "../../lab/ledger/ledger";
import type { LedgerRow } from "../../lab/ledger/report";
import { resolveAt } from "../../lab/ledger/names";
import { visit, WebClient } from "../../lab/ledger/webClient";
import { Sampler } from "../../lab/sampler";
import { processesUnder } from "../../lab/processes";
import { until } from "../../lab/postgres/processes";

let lab: Lab;

beforeAll(async () => {
  lab = await startLab();
  const record = (name: string, type: string, content: string): void => {
    lab.cloudflare.setRecord(lab.zone, { name, type, content, ttl: 60 });
  };
  record("www", "CNAME", "active.shop.test");
  record("active", "CNAME", "site-a.shop.test");
  record("site-a", "A", "127.0.0.2");
}, 30_000);

afterAll(async () => {
  await lab.close();
  expect(processesUnder(lab.dir)).toEqual([]);
  expect(existsSync(lab.dir)).toBe(false);
}, 30_000);

const rows = (): Promise<LedgerRow[]> =>
  lab.a.cluster.query<{ writer: number; seq: number }>(LEDGER_ROWS);

test("a name is followed through its aliases", async () => {
  await expect(resolveAt(lab.dns, "www.shop.test")).resolves.toBe("127.0.0.2");
  await expect(resolveAt(lab.dns, "nowhere.shop.test")).rejects.toThrow("no address");
});

test("the web app serves by its site's own database, and ends in maintenance", async () => {
  const site = { dns: lab.dns, name: "www.shop.test", port: lab.webPort };
  await lab.a.service("start", "web");
  await until(
    "web is healthy",
    5000,
    async () => (await lab.a.service("healthy", "web")).exitCode === 0,
  );
  await expect(visit({ ...site, path: "/" })).resolves.toMatchObject({ ok: true, site: "a" });
  await expect(visit(site)).resolves.toMatchObject({ ok: true, site: "a", status: 200 });
  await lab.a.run([
    "sh",
    "-c",
    `mkdir -p '${lab.a.cluster.stateDirectory}'; : >'${lab.a.cluster.stateDirectory}/maintenance'`,
  ]);
  await expect(visit(site)).resolves.toMatchObject({ ok: false, site: "a", status: 503 });
  await lab.a.run(["rm", `${lab.a.cluster.stateDirectory}/maintenance`]);
  await lab.a.service("stop", "web");
  expect((await lab.a.service("healthy", "web")).exitCode).toBe(1);
  await expect(visit(site)).resolves.toMatchObject({ ok: false });
}, 20_000);

test("a cut site is not reached, and answers again when mended", async () => {
  lab.a.cut();
  await expect(lab.a.run(["true"])).resolves.toMatchObject({ exitCode: 255 });
  lab.a.mend();
  await expect(lab.a.run(["sh", "-c", 'cat; echo "$HOME"'], "in ")).resolves.toMatchObject({
    exitCode: 0,
    stdout: `in ${lab.a.home}\n`,
  });
});

test("killed under load, every acknowledged write is there and the gap is seen", async () => {
  await lab.a.service("start", "worker");
  const ledger = Ledger.start({ dns: lab.dns, name: "www.shop.test", port: lab.databasePort });
  const web = WebClient.start({ dns: lab.dns, name: "www.shop.test", port: lab.webPort });
  const { host, port, superuser } = lab.a.cluster;
  const sampler = Sampler.start([
    { site: "a", host, port, user: superuser },
    { site: "b", host: lab.b.host, port, user: superuser },
  ]);
  await until("200 writes are acknowledged", 10_000, () => ledger.acked() > 200);

  const killedAt = ledger.mark();
  await lab.a.killAll();
  expect(processesUnder(lab.a.dir)).toEqual([]);
  const before = ledger.acked();
  await lab.a.cluster.start();
  await until("writers are back", 10_000, () => ledger.acked() > before + 100);
  const end = ledger.mark();
  await until(
    "a write after the window",
    5_000,
    () => ledger.databaseGap(killedAt, end) !== undefined,
  );
  await Promise.all([ledger.stop(), web.stop(), sampler.stop()]);

  const report = ledger.report(await rows());
  expect(report).toMatchObject({ lost: [], duplicates: [], unexpected: [], overlappingAcks: 0 });
  expect(
    report.acked + report.failed + report.indeterminate.applied + report.indeterminate.absent,
  ).toBe(report.operations);
  const gap = ledger.databaseGap(killedAt, end);
  expect(gap?.toMs).toBeGreaterThan(killedAt);
  expect(gap?.ms).toBeGreaterThan(20);
  expect(sampler.samples).toBeGreaterThan(10);
  expect(sampler.twoWriterSamples).toBe(0);
  expect(sampler.writers(killedAt, end)).toEqual(["a"]);
  expect(web.samples.length).toBeGreaterThan(10);
  expect(web.samples.every((sample) => !sample.ok)).toBe(true);
}, 40_000);

test("a lost row is found", async () => {
  const ledger = Ledger.start({
    ...{ dns: lab.dns, name: "www.shop.test", port: lab.databasePort },
    ...{ writers: 1, firstWriter: 50 },
  });
  await until("10 writes", 5_000, () => ledger.acked() > 10);
  await ledger.stop();
  await lab.a.cluster.query("delete from ledger where writer = 50 and seq = 3");
  expect(ledger.report(await rows()).lost).toEqual(["50:3"]);
}, 20_000);

test("the stack's configuration names both sites and hides what is secret", () => {
  const config = lab.stackConfig("b");
  expect(config["activeSite"]).toEqual({ value: "b", secret: false });
  expect(
    Object.entries(config)
      .filter(([, entry]) => entry.secret)
      .map(([key]) => key),
  ).toEqual(["witnessKey", "cloudflare:apiToken"]);
  const described: unknown = JSON.parse(config["lab"]?.value ?? "");
  expect(described).toMatchObject({
    zone: "shop.test",
    servers: [`127.0.0.1#${lab.cloudflare.dnsPort}`, `127.0.0.4#${lab.cloudflare.dnsPort}`],
    sites: { a: { host: "127.0.0.2", port: lab.databasePort }, b: { host: "127.0.0.3" } },
  });
});
