// Every mistake in the wish is named by its path and its value, all of them at once.
import { parseDesired } from "../../plan/desired";
import { input, parsed, site } from "./wish";

type Input = ReturnType<typeof input>;

const issuesOf = (raw: unknown): readonly string[] => {
  const result = parseDesired(raw);
  return "issues" in result ? result.issues.map(({ path, message }) => `${path}: ${message}`) : [];
};
const withDns = (more: object): object => ({ ...input(), dns: { ...input().dns, ...more } });
const withA = (more: object): object => ({
  ...input(),
  sites: { a: { ...site("a"), ...more }, b: site("b") },
});
const withDatabase = (more: object): object =>
  withA({ database: { ...site("a").database, ...more } });
const withService = (more: object): object => ({
  ...input(),
  services: [{ ...input().services[0], ...more }],
});

test("a wish that is right is taken, with its defaults", () => {
  const wish = parsed(input());
  expect(wish.dns).toMatchObject({ ttl: 60, proxied: false });
  expect(wish.guard).toEqual({ bound: 30, isolation: "either", after: 12, poll: 2 });
  expect(wish.limits).toEqual({ lagBytes: 16777216, stepSeconds: 60 });
  expect(wish.sites.a.database).toMatchObject({ port: 5432, superuser: "postgres" });
});

test.each<[string, object, RegExp]>([
  ["another site", { ...input(), activeSite: "c" }, /^activeSite: "c": .*a.*b/],
  ["no site", { ...input(), activeSite: undefined }, /^activeSite: missing: /],
  ["an unknown key", { ...input(), ttl: 60 }, /^ttl: unknown key/],
  ["an unknown key inside", withDns({ tttl: 60 }), /^dns\.tttl: unknown key/],
  ["a name with capitals", { ...input(), name: "Shop" }, /^name: "Shop": .*lower-case/],
  [
    "the same address twice",
    withA({ addresses: { v4: "127.0.0.3" } }),
    /^sites\.b\.addresses\.v4: "127\.0\.0\.3": .*site a's/,
  ],
  [
    "the same provider and region",
    withA({ provider: "provider-b", region: "region-b" }),
    /^sites\.b\.region: "region-b": provider provider-b/,
  ],
  [
    "one v6 only",
    withA({ addresses: { v4: "127.0.0.2", v6: "::1" } }),
    /^sites\.b\.addresses\.v6: missing/,
  ],
  ["no address", withA({ addresses: { v4: "nowhere" } }), /^sites\.a\.addresses\.v4: "nowhere": /],
  ["a TTL of 0", withDns({ ttl: 0 }), /^dns\.ttl: 0: below 30/],
  ["a TTL of an hour", withDns({ ttl: 3600 }), /^dns\.ttl: 3600: .*at most 300/],
  [
    "a name outside its zone",
    withDns({ zones: [{ zone: "example.com", hostnames: ["www.example.org"] }] }),
    /^dns\.zones\.0\.hostnames\.0: "www\.example\.org": .*zone example\.com/,
  ],
  [
    "a zone without names",
    withDns({ zones: [{ zone: "example.com", hostnames: [] }] }),
    /^dns\.zones\.0\.hostnames: /,
  ],
  ["no zone", withDns({ zones: [] }), /^dns\.zones: /],
  [
    "a server by name",
    withDns({ servers: ["ns1.example.com"] }),
    /^dns\.servers\.0: "ns1\.example\.com": must be ADDRESS/,
  ],
  [
    "a relative path",
    withDatabase({ dataDirectory: "data" }),
    /^sites\.a\.database\.dataDirectory: "data": must be an absolute path/,
  ],
  [
    "a path with a quote",
    withDatabase({ dataDirectory: "/data/'x" }),
    /dataDirectory: "\/data\/'x": must be an absolute path/,
  ],
  ["a port of 0", withDatabase({ port: 0 }), /^sites\.a\.database\.port: 0: /],
  [
    "an odd role name",
    withDatabase({ superuser: "Robert'); --" }),
    /superuser: "Robert'\); --": must be a lower-case SQL identifier/,
  ],
  [
    "a host of two lines",
    withDatabase({ host: "x\nstate=/" }),
    /^sites\.a\.database\.host: .*one line/,
  ],
  ["a size without a unit", withDatabase({ slotKeep: "4" }), /slotKeep: "4": must be a size/],
  ["a service of another kind", withService({ kind: "cron" }), /^services\.0\.kind: "cron": /],
  ["a command of two lines", withService({ start: "one\ntwo" }), /^services\.0\.start: .*one line/],
  [
    "a service twice",
    { ...input(), services: [input().services[0], input().services[0]] },
    /^services\.1\.name: "web-1": .*twice/,
  ],
  ["acceptLoss without a number", { ...input(), acceptLoss: true }, /^acceptLoss: true: /],
  ["acceptUnproven of epoch 0", { ...input(), acceptUnproven: 0 }, /^acceptUnproven: 0: /],
  [
    "a digest of another form",
    { ...input(), approvedPlan: "latest" },
    /^approvedPlan: "latest": .*EPOCH-HASH/,
  ],
  ["no witness key", { ...input(), witnessKeys: [] }, /^witnessKeys: /],
  [
    "a key that is no key",
    { ...input(), witnessKeys: [{ id: "x", raw: "short" }] },
    /^witnessKeys\.0\.raw: "short": 32 raw bytes/,
  ],
])("%s is refused with path and value", (_, raw, pattern) => {
  const issues = issuesOf(raw);
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatch(pattern);
});

test("all issues are collected", () => {
  const raw: Omit<Input, "activeSite"> & { activeSite: string } = { ...input(), activeSite: "c" };
  const many = { ...raw, name: "", dns: { ...raw.dns, ttl: 1 }, extra: 1 };
  expect(issuesOf(many).map((issue) => issue.split(":")[0])).toEqual(
    expect.arrayContaining(["activeSite", "name", "dns.ttl", "extra"]),
  );
});
