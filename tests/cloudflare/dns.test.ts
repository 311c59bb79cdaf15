import { closeLabs, create, lab, zoneId } from "./client";
import { shop, udp } from "./dnsClient";

afterEach(closeLabs);

test("a chain inside the zone is followed in one authoritative answer", async () => {
  const on = await shop();
  expect(await udp(on, "www.shop.test", "A")).toMatchObject({
    ...{ rcode: 0, aa: true },
    answers: [
      "www.shop.test 60 CNAME active.shop.test",
      "active.shop.test 60 CNAME site-a.shop.test",
      "site-a.shop.test 300 A 127.0.0.2",
    ],
  });
});

test.each([
  [
    "an alias out of the zone ends there",
    "away.shop.test",
    "A",
    ["away.shop.test 60 CNAME elsewhere.test"],
  ],
  [
    "CNAME asked for is not followed",
    "www.shop.test",
    "CNAME",
    ["www.shop.test 60 CNAME active.shop.test"],
  ],
  [
    "the apex alias is flattened, with the lowest TTL",
    "shop.test",
    "A",
    ["shop.test 60 A 127.0.0.2"],
  ],
  ["the apex alias is flattened for IPv6", "shop.test", "AAAA", ["shop.test 60 AAAA ::2"]],
  [
    "a wildcard answers under the asked name",
    "any.wild.shop.test",
    "CNAME",
    ["any.wild.shop.test 60 CNAME active.shop.test"],
  ],
  ["automatic TTL is 300", "auto.shop.test", "A", ["auto.shop.test 300 A 192.0.2.1"]],
  [
    "MX",
    "mail.shop.test",
    "MX",
    ['mail.shop.test 60 MX {"preference":10,"exchange":"mx.shop.test"}'],
  ],
  ["TXT", "_standby.shop.test", "TXT", ["_standby.shop.test 60 TXT v=1 epoch=1 to=a"]],
  [
    "the case of the question is kept",
    "_STANDBY.Shop.Test",
    "TXT",
    ["_STANDBY.Shop.Test 60 TXT v=1 epoch=1 to=a"],
  ],
])("%s", async (_, name, type, answers) => {
  const on = await shop();
  expect(await udp(on, name, type)).toMatchObject({ rcode: 0, aa: true, answers });
});

test.each([
  ["no such name", "nothing.shop.test", "A", 3],
  ["a name with other types", "_standby.shop.test", "A", 0],
  ["an empty name above a record", "empty.shop.test", "TXT", 0],
  ["a wildcard does not cover a name that exists", "own.wild.shop.test", "A", 0],
  ["a wildcard does not cover what lies below an existing name", "x.own.wild.shop.test", "A", 3],
  ["the apex alias does not show as CNAME", "shop.test", "CNAME", 0],
  ["a type the server does not speak", "www.shop.test", "HTTPS", 0],
])("negative, with SOA: %s", async (_, name, type, rcode) => {
  const on = await shop();
  const wireType = type === "HTTPS" ? "UNKNOWN_65" : type;
  const answered = await udp(on, name, wireType);
  expect(answered).toMatchObject({ rcode, aa: true, authorities: ["shop.test SOA"] });
  expect(answered.answers.filter((a) => !a.includes(" CNAME "))).toEqual([]);
});

test("a dangling alias answers its chain and NXDOMAIN", async () => {
  const on = await shop();
  on.deleteRecord("shop.test", "site-a");
  const answered = await udp(on, "active.shop.test", "A");
  expect(answered).toMatchObject({ rcode: 3, authorities: ["shop.test SOA"] });
  expect(answered.answers).toEqual(["active.shop.test 60 CNAME site-a.shop.test"]);
  expect(await udp(on, "shop.test", "A")).toMatchObject({ rcode: 0, answers: [] });
});

test("aliases that point at each other end the answer instead of the server", async () => {
  const on = await lab();
  on.setRecord("shop.test", { type: "CNAME", name: "x", content: "y.shop.test" });
  on.setRecord("shop.test", { type: "CNAME", name: "y", content: "x.shop.test" });
  expect((await udp(on, "x.shop.test", "A", { edns: 4096 })).answers.length).toBeGreaterThan(1);
});

test("names outside are refused, not denied", async () => {
  const on = await shop();
  expect(await udp(on, "www.elsewhere.test", "A")).toMatchObject({ rcode: 5, aa: false });
});

test("a delegated name gives a referral without AA", async () => {
  const on = await shop();
  on.setRecord("shop.test", { type: "NS", name: "sub", content: "ns.other.test" });
  expect(await udp(on, "active.sub.shop.test", "A")).toMatchObject({
    ...{ rcode: 0, aa: false, answers: [], authorities: ["sub.shop.test NS"] },
  });
});

test("the serial grows with each commit", async () => {
  const on = await shop();
  const serial = async (): Promise<number> => (await udp(on, "no.shop.test", "A")).serial ?? 0;
  const before = await serial();
  await create(on, { type: "A", name: "new", content: "192.0.2.1" });
  expect(await serial()).toBe(before + 1);
});

test("a proxied name answers with the edge, not with the origin", async () => {
  const on = await lab();
  await create(on, { type: "A", name: "www", content: "198.51.100.1", proxied: true });
  const { answers } = await udp(on, "www.shop.test", "A");
  expect(answers).toEqual(["www.shop.test 300 A 192.0.2.1"]);
});

test("an apex alias into another zone of the account is flattened too", async () => {
  const zones = [{ name: "shop.test", id: zoneId }, { name: "other.test" }];
  const on = await lab({ zones });
  on.setRecord("other.test", { type: "A", name: "site", content: "192.0.2.7", ttl: 120 });
  on.setRecord("shop.test", { type: "CNAME", name: "@", content: "site.other.test", ttl: 600 });
  expect((await udp(on, "shop.test", "A")).answers).toEqual(["shop.test 120 A 192.0.2.7"]);
});

test("the knob flattenInZone answers aliases with addresses", async () => {
  const on = await shop({ knobs: { flattenInZone: true } });
  expect((await udp(on, "www.shop.test", "A")).answers).toEqual(["www.shop.test 60 A 127.0.0.2"]);
});
