import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { call, closeLabs, lab, recordsPath } from "./client";
import { dig, shop, tcp, udp } from "./dnsClient";

afterEach(closeLabs);

test("long TXT: split at 255 bytes, truncated over UDP, whole over TCP and with EDNS", async () => {
  const on = await lab();
  on.setRecord("shop.test", { type: "TXT", name: "long", content: "x".repeat(600) });
  const whole = `long.shop.test 300 TXT ${["x".repeat(255), "x".repeat(255), "x".repeat(90)].join("|")}`;
  expect(await udp(on, "long.shop.test", "TXT")).toMatchObject({ tc: true, answers: [] });
  expect((await udp(on, "long.shop.test", "TXT", { edns: 1232 })).answers).toEqual([whole]);
  const [first, second] = await tcp(on, ["long.shop.test", "no.shop.test"], "TXT");
  expect(first).toMatchObject({ tc: false, answers: [whole] });
  expect(second).toMatchObject({ rcode: 3, aa: true });
});

test("each address can be silent or stale on its own", async () => {
  const on = await shop({ extraDnsAddresses: ["127.0.0.4", "127.0.0.5"] });
  on.dns.silence("127.0.0.4");
  on.dns.freeze("127.0.0.5");
  on.setRecord("shop.test", {
    type: "TXT",
    name: "_standby",
    content: '"v=1 epoch=2 to=b"',
    ttl: 60,
  });
  const ask = async (server: string): Promise<string> =>
    (await udp(on, "_standby.shop.test", "TXT", { server, boundMs: 150 })).answers.join();
  expect(await ask("127.0.0.1")).toContain("epoch=2");
  await expect(ask("127.0.0.4")).rejects.toThrow("no answer");
  expect(await ask("127.0.0.5")).toContain("epoch=1");
  on.dns.restore();
  expect(await ask("127.0.0.4")).toContain("epoch=2");
  expect(await ask("127.0.0.5")).toContain("epoch=2");
  const silent = on.dns.queries().filter((q) => q.rcode === undefined);
  expect(silent).toMatchObject([{ server: "127.0.0.4", name: "_standby.shop.test", type: "TXT" }]);
});

test("rubbish gets FORMERR or nothing, and the server goes on", async () => {
  const on = await shop();
  const socket = createSocket("udp4");
  const rubbish = Buffer.from("0001000000ff000000000000ffff", "hex");
  const reply = new Promise<Buffer>((resolve) => socket.once("message", resolve));
  socket.send(Buffer.from("x"), on.dnsPort, on.dnsAddress);
  socket.send(rubbish, on.dnsPort, on.dnsAddress);
  expect((await reply).readUInt16BE(2) & 15).toBe(1);
  socket.close();
  expect((await udp(on, "www.shop.test", "A")).rcode).toBe(0);
});

test("node's own resolver is content", async () => {
  const on = await shop();
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  resolver.setServers([`${on.dnsAddress}:${on.dnsPort}`]);
  expect(await resolver.resolve4("www.shop.test")).toEqual(["127.0.0.2"]);
  expect(await resolver.resolveTxt("_standby.shop.test")).toEqual([["v=1 epoch=1 to=a"]]);
  await expect(resolver.resolve4("no.shop.test")).rejects.toThrow("ENOTFOUND");
  await expect(resolver.resolve4("_standby.shop.test")).rejects.toThrow("ENODATA");
});

test.each(["+tcp", "+notcp"])("dig %s sees NOERROR, aa and one TXT string", async (transport) => {
  const on = await shop();
  const { code, out } = await dig(on, [transport, "_standby.shop.test", "TXT"]);
  expect(code).toBe(0);
  expect(out).toMatch(/status: NOERROR/);
  expect(out).toMatch(/flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0/);
  expect(out).toMatch(/^_standby\.shop\.test\.\s+60\s+IN\s+TXT\s+"v=1 epoch=1 to=a"$/m);
  expect(out).not.toMatch(/WARNING|malformed|mismatch/i);
});

test("dig sees NXDOMAIN, REFUSED and a server that does not answer", async () => {
  const on = await shop();
  expect((await dig(on, ["+tcp", "no.shop.test", "TXT"])).out).toMatch(/status: NXDOMAIN/);
  expect((await dig(on, ["+tcp", "elsewhere.test", "TXT"])).out).toMatch(/status: REFUSED/);
  on.dns.silence();
  expect((await dig(on, ["+tcp", "_standby.shop.test", "TXT"])).code).toBe(9);
});

test("a flip by one PUT is what the next query sees", async () => {
  const on = await shop();
  const id = on.records("shop.test").find((r) => r.name === "active.shop.test")?.id;
  const body = { type: "CNAME", name: "active.shop.test", content: "site-b.shop.test", ttl: 60 };
  await call(on, "PUT", `${recordsPath}/${id}`, body);
  expect((await udp(on, "www.shop.test", "A")).answers[2]).toBe("site-b.shop.test 300 A 127.0.0.3");
});
