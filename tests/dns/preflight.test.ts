// The live zone by list: eight faults in 10,000 names, each by its name, in three calls.
import { preflight } from "../../cli/preflight";
import { startCloudflareLab, type CloudflareLab } from "../../lab/cloudflare";
import { plantFaults } from "../../lab/cloudflare/plant";
import { seedPair, shapeOf } from "../../lab/cloudflare/seed";
import { declaredRecords } from "../../plan/dns/records";
import { zonesOfState } from "../../plan/dns/state";
import { findingsOf } from "../../plan/dns/zone";
import { listZone } from "../../sites/cloudflareApi";

const ZONE = "shop.test";
const N = 10_000;
const FEW = 20;
const shapeFor = (n: number) =>
  shapeOf([{ zone: ZONE, hostnames: Array.from({ length: n }, (_, i) => `n${i}.${ZONE}`) }]);
let lab: CloudflareLab;
let state: string;

/** A pair of n names in the emulator, and what a stack would hold of it. */
async function seeded(n: number): Promise<void> {
  lab = await startCloudflareLab({ zones: [{ name: ZONE }] });
  state = seedPair(lab, shapeFor(n));
}
afterEach(() => lab.close());

const access = () => ({ base: lab.apiUrl, token: lab.token });

test("a resource without inputs, as the stack itself is one, is no obstacle", async () => {
  await seeded(FEW);
  const whole = JSON.parse(state) as { deployment: { resources: unknown[] } };
  whole.deployment.resources.unshift({ type: "pulumi:pulumi:Stack", custom: false });
  expect(zonesOfState(JSON.stringify(whole))).toEqual(zonesOfState(state));
});

test("nothing is found where nothing is wrong; 10,004 records cost three lists and one look at the token", async () => {
  await seeded(N);
  const found = await preflight(access(), zonesOfState(state));
  expect(found.findings).toEqual([]);
  expect(found).toMatchObject({ calls: 4, records: N + 4 });
  expect(lab.requests().map((one) => one.method)).toEqual(["GET", "GET", "GET", "GET"]);
});

test("eight planted faults are reported by name, each once, with a next act", async () => {
  await seeded(N);
  const planted = plantFaults(lab, ZONE);
  const { findings } = await preflight(access(), zonesOfState(state));
  expect(findings.map(({ code, name }) => `${code} ${name}`).sort()).toEqual(
    planted.map(({ code, name }) => `${code} ${name}`).sort(),
  );
  expect(findings.filter((one) => one.hint === "" || one.what === "")).toEqual([]);
  expect(findings.filter((one) => one.stops).map((one) => one.code)).toEqual(["pivot-drift"]);
});

test("the state may be missing: then what is deleted and made again is not known, all else is", async () => {
  await seeded(FEW);
  const planted = plantFaults(lab, ZONE).filter((one) => one.code !== "deleted-id");
  const zoneId = lab.zones[0]?.id ?? "";
  const survey = await listZone(access(), ZONE, zoneId);
  const codes = findingsOf(declaredRecords(shapeFor(FEW)), [survey]).map((one) => one.code);
  expect(codes.sort()).toEqual(planted.map((one) => one.code).sort());
});

test("a second address at a site, and hints that only one site has, are found", async () => {
  await seeded(FEW);
  lab.setRecord(ZONE, { name: `site-b.${ZONE}`, type: "AAAA", content: "2001:db8::9", ttl: 60 });
  lab.deleteRecord(ZONE, `n1.${ZONE}`);
  const { findings } = await preflight(access(), zonesOfState(state));
  expect(findings.map(({ code, name }) => `${code} ${name}`).sort()).toEqual([
    `deleted-id n1.${ZONE}`,
    `site-hint site-b.${ZONE}`,
  ]);
});

test("a token that may only read is told apart from one that may not see the zone", async () => {
  await seeded(FEW);
  const [blind, foreign] = ["b".repeat(40), "c".repeat(40)];
  lab.addToken({ token: foreign, zones: ["other.test"] });
  for (const token of [blind, foreign]) {
    const { findings } = await preflight({ base: lab.apiUrl, token }, zonesOfState(state));
    expect(findings.map((one) => [one.code, one.stops])).toEqual([["scope", true]]);
  }
});

test("an API that is used up is a finding; one that does not answer is an error within its bound", async () => {
  await seeded(FEW);
  lab.quota("user", 1201);
  const { findings } = await preflight(access(), zonesOfState(state));
  expect(findings.map((one) => one.code)).toEqual(["quota"]);
  lab.faults.add({ act: { kind: "hang" } });
  const slow = preflight({ ...access(), timeoutMs: 200 }, zonesOfState(state));
  await expect(slow).rejects.toThrow("did not answer");
});

test("an answer of 200 that says success:false is a no", async () => {
  await seeded(FEW);
  lab.faults.add({ act: { kind: "lie" } });
  const { findings } = await preflight(access(), zonesOfState(state));
  expect(findings.map((one) => one.code)).toEqual(["scope"]);
});
