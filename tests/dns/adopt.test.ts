// Taking over a live zone: no client is ever answered anything else, nor told that a name does not exist.
import { startCloudflareLab, type CloudflareLab } from "../../lab/cloudflare";
import { adoptionPlan, adoptionText } from "../../plan/dns/adoption";
import type { LiveRecord } from "../../plan/dns/zone";
import { adopt, type AdoptOptions } from "../../sites/adopt";
import { listZone } from "../../sites/cloudflareApi";
import { resolverAt } from "../../sites/nameServers";

const ZONE = "shop.test";
const A = "192.0.2.10";
const wish = { zone: ZONE, site: { v4: A }, keep: [`static.${ZONE}`], ttl: 60 };
let lab: CloudflareLab;

beforeEach(async () => {
  lab = await startCloudflareLab({ zones: [{ name: ZONE }], extraDnsAddresses: ["127.0.0.4"] });
  for (const name of [ZONE, `www.${ZONE}`, `api.${ZONE}`, `static.${ZONE}`, `mail.${ZONE}`]) {
    lab.setRecord(ZONE, { name, type: "A", content: A, ttl: 3600 });
  }
  lab.setRecord(ZONE, { name: `old.${ZONE}`, type: "A", content: "192.0.2.99", ttl: 3600 });
  lab.setRecord(ZONE, { name: ZONE, type: "MX", content: `mail.${ZONE}`, ttl: 300 });
});
afterEach(() => lab.close());

async function plan() {
  const access = { base: lab.apiUrl, token: lab.token };
  return adoptionPlan(wish, (await listZone(access, ZONE, lab.zones[0]?.id ?? "")).records);
}

async function addresses(server: string, name: string): Promise<readonly string[]> {
  return (await resolverAt(server).resolve4(name)).sort();
}

function options(more: Partial<AdoptOptions> = {}): AdoptOptions & { readonly lines: string[] } {
  const lines: string[] = [];
  const vantages = lab.dnsAddresses.map((address) => `${address}#${lab.dnsPort}`);
  return {
    ...{
      access: { base: lab.apiUrl, token: lab.token },
      zoneId: lab.zones[0]?.id ?? "",
      wish,
      lines,
    },
    answers: (name) => Promise.all(vantages.map((server) => addresses(server, name))),
    sleep: () => new Promise((resolve) => setTimeout(resolve, 1)),
    say: (line) => lines.push(line),
    settleSeconds: 5,
    ...more,
  };
}

const aliases = () =>
  lab
    .records(ZONE)
    .filter((one) => one.type === "CNAME" && one.content === `active.${ZONE}`)
    .map((one) => one.name)
    .sort();

test("the plan names who moves, who stays and why, and the wait", async () => {
  const made = await plan();
  expect(made.names.map((one) => one.name)).toEqual([`www.${ZONE}`, `api.${ZONE}`, ZONE]);
  expect(made.left.map((one) => one.name)).toEqual([`static.${ZONE}`, `mail.${ZONE}`]);
  expect(made.wait).toBe(3600);
  const text = adoptionText(made);
  expect(text).toContain("lower the TTL of 3 records, then wait 3600 s");
  expect(text).toContain(`canary www.${ZONE}`);
  expect(text).toContain(`mail.${ZONE}: it is the target of ${ZONE} MX`);
  expect(lab.requests().every((one) => one.method === "GET")).toBe(true);
});

test("no query is answered with anything else, and no name is ever away", async () => {
  const wrong: string[] = [];
  let asked = 0;
  let over = false;
  const client = (async () => {
    while (!over) {
      for (const name of [ZONE, `www.${ZONE}`, `api.${ZONE}`, `static.${ZONE}`]) {
        const answer = await addresses(`${lab.dnsAddress}#${lab.dnsPort}`, name).catch(
          (error: NodeJS.ErrnoException) => [String(error.code)],
        );
        asked += 1;
        if (answer.join() !== A) wrong.push(`${name}: ${answer.join()}`);
      }
    }
  })();
  const waited: number[] = [];
  const run = options();
  await adopt({
    ...run,
    sleep: async (seconds) => {
      waited.push(seconds);
      await run.sleep(0);
    },
  });
  over = true;
  await client;
  expect(wrong).toEqual([]);
  expect(asked).toBeGreaterThan(8);
  expect(waited[0]).toBe(3600);
  expect(aliases()).toEqual([`api.${ZONE}`, ZONE, `www.${ZONE}`].sort());
  const batches = lab.requests().filter((one) => one.path.endsWith("/batch"));
  // One for the pivot and its site, then one a name: each deletes and posts at once.
  expect(batches).toHaveLength(4);
  expect(await plan()).toMatchObject({ names: [], lower: [] });
});

test("a second run changes nothing", async () => {
  await adopt(options());
  const writes = () => lab.requests().filter((one) => one.method !== "GET").length;
  const before = writes();
  await adopt(options());
  expect(writes()).toBe(before);
});

test("an answer that is lost is looked up, not repeated", async () => {
  lab.faults.add({ path: /batch$/, body: /www\.shop/, times: 1, act: { kind: "commitThenDrop" } });
  await adopt(options());
  expect(aliases()).toHaveLength(3);
});

test("a canary that answers differently stops everything else", async () => {
  // The pivot was there already, and points elsewhere.
  lab.setRecord(ZONE, { name: `active.${ZONE}`, type: "CNAME", content: `old.${ZONE}`, ttl: 60 });
  await expect(adopt(options({ settleSeconds: 1 }))).rejects.toThrow(
    /www\.shop\.test: answered .*\nHINT: put back A 192\.0\.2\.10/,
  );
  expect(aliases()).toEqual([`www.${ZONE}`]);
});

const record = (name: string, type: string, content: string): LiveRecord => ({
  ...{ id: `${name}${type}`, name, type, content, ttl: 60, proxied: false },
});

test.each([
  [
    "another address beside the site's",
    [record("x.shop.test", "A", A), record("x.shop.test", "A", "192.0.2.11")],
    "192.0.2.11",
  ],
  [
    "a family that the site does not have",
    [record("x.shop.test", "A", A), record("x.shop.test", "AAAA", "2001:db8::1")],
    "2001:db8::1",
  ],
  [
    "address hints",
    [record("x.shop.test", "A", A), record("x.shop.test", "HTTPS", `1 . ipv4hint=${A}`)],
    "hold",
  ],
  [
    "a delegation",
    [record("x.shop.test", "A", A), record("x.shop.test", "NS", "ns.elsewhere.test")],
    "delegated",
  ],
])("%s is left alone", (_, records, why) => {
  const made = adoptionPlan(wish, records);
  expect(made.names).toEqual([]);
  expect(made.left[0]?.why).toContain(why);
});

test("every hole below a wildcard is listed", () => {
  const made = adoptionPlan(wish, [
    record("*.shop.test", "A", A),
    record("blog.shop.test", "A", "192.0.2.77"),
    // The pair's own names are not looked up by clients.
    record("_standby-shop.shop.test", "TXT", '"v=1"'),
    record("e7._standby.shop.test", "CNAME", "1f.shop._standby.shop.test"),
    record("www.shop.test", "A", A),
  ]);
  expect(made.holes.map((one) => one.name)).toEqual(["blog.shop.test"]);
});
