import { call, closeLabs, create, lab, recordOf, recordsPath, zoneId } from "./client";

afterEach(closeLabs);

const a = { type: "A", name: "www", content: "192.0.2.10", ttl: 60 };
const cname = { type: "CNAME", name: "www", content: "site-a.shop.test", ttl: 60 };
const txt = { type: "TXT", name: "_standby", content: '"v=1"', ttl: 60 };
const mx = { type: "MX", name: "www", content: "mail.shop.test", priority: 10 };
const ns = { type: "NS", name: "www", content: "ns1.other.test" };

interface Row {
  what: string;
  before?: object[];
  post: unknown;
  status: number;
  code: number;
}

// The vendor's refusals, as public issue threads show them.
const refusals: Row[] = [
  { what: "CNAME beside A", before: [a], post: cname, status: 400, code: 81053 },
  {
    what: "CNAME beside CNAME",
    before: [cname],
    post: { ...cname, content: "site-b.shop.test" },
    status: 400,
    code: 81053,
  },
  { what: "A beside CNAME", before: [cname], post: a, status: 400, code: 81054 },
  {
    what: "AAAA beside CNAME",
    before: [cname],
    post: { ...a, type: "AAAA", content: "2001:db8::1" },
    status: 400,
    code: 81054,
  },
  { what: "NS beside A", before: [a], post: ns, status: 400, code: 81055 },
  { what: "A beside NS", before: [ns], post: a, status: 400, code: 81056 },
  { what: "the same A again is 400, not 409", before: [a], post: a, status: 400, code: 81058 },
  {
    what: "the same TXT with other quoting",
    before: [txt],
    post: { ...txt, content: "v=1" },
    status: 400,
    code: 81058,
  },
  { what: "TTL 59", post: { ...a, ttl: 59 }, status: 400, code: 9021 },
  { what: "TTL 86401", post: { ...a, ttl: 86401 }, status: 400, code: 9021 },
  { what: "TTL 0", post: { ...a, ttl: 0 }, status: 400, code: 9021 },
  { what: "A with a name as content", post: { ...a, content: "x.test" }, status: 400, code: 9005 },
  { what: "A with an IPv6 address", post: { ...a, content: "::1" }, status: 400, code: 9005 },
  {
    what: "AAAA with an IPv4 address",
    post: { ...a, type: "AAAA" },
    status: 400,
    code: 9006,
  },
  {
    what: "CNAME with an address",
    post: { ...cname, content: "192.0.2.1" },
    status: 400,
    code: 9007,
  },
  {
    what: "CNAME to itself",
    post: { ...cname, content: "www.shop.test." },
    status: 400,
    code: 9039,
  },
  { what: "proxied TXT", post: { ...txt, proxied: true }, status: 400, code: 9041 },
  { what: "empty label", post: { ...a, name: "a..b" }, status: 400, code: 9000 },
  { what: "label over 63", post: { ...a, name: "x".repeat(64) }, status: 400, code: 9000 },
  { what: "star inside", post: { ...a, name: "a.*.b" }, status: 400, code: 9000 },
  { what: "space in a name", post: { ...a, name: "a b" }, status: 400, code: 9000 },
  { what: "no JSON", post: "{", status: 400, code: 9207 },
  { what: "unknown type", post: { ...a, type: "NOPE" }, status: 400, code: 9207 },
];

test.each(refusals)("refused: $what -> $status $code", async ({ before, post, status, code }) => {
  const on = await lab();
  for (const record of before ?? []) await create(on, record);
  const answered = await call(on, "POST", recordsPath, post);
  expect(answered).toMatchObject({ status, codes: [code], success: false, result: null });
  expect(on.records("shop.test")).toHaveLength(before?.length ?? 0);
});

test("MX and TXT may share a name with a CNAME, and two different A records may share one", async () => {
  const on = await lab();
  await create(on, cname);
  await create(on, mx);
  await create(on, { ...txt, name: "www" });
  await create(on, { ...a, name: "api" });
  await create(on, { ...a, name: "api", content: "192.0.2.11" });
  expect(on.records("shop.test")).toHaveLength(5);
});

test("older form: validation errors come as 1004 with the code in error_chain", async () => {
  const on = await lab({ knobs: { errorForm: "chained" } });
  const answered = await call(on, "POST", recordsPath, { ...a, ttl: 5 });
  expect(answered.codes).toEqual([1004]);
  expect(answered.errors[0]?.error_chain?.map((e) => e.code)).toEqual([9021]);
});

const strange = "f".repeat(32);
test.each([
  ["GET", `${recordsPath}/${strange}`, 404, 81044],
  ["PUT", `${recordsPath}/${strange}`, 404, 81044],
  ["PATCH", `${recordsPath}/${strange}`, 404, 81044],
  ["DELETE", `${recordsPath}/${strange}`, 404, 81044],
  ["GET", `/zones/${strange}/dns_records`, 404, 7003],
  ["GET", `/zones/not-an-id`, 404, 7003],
  ["GET", "/nothing/here", 404, 7003],
  ["PUT", recordsPath, 405, 10405],
])("%s %s -> %i %i", async (method, path, status, code) => {
  const on = await lab();
  const body = method === "GET" || method === "DELETE" ? undefined : a;
  const answered = await call(on, method, path, body);
  expect(answered.status).toBe(status);
  expect(answered.codes[0]).toBe(code);
});

const credentials: {
  what: string;
  headers: Record<string, string>;
  status: number;
  code: number;
  chain?: number;
}[] = [
  { what: "no header", headers: {}, status: 400, code: 9106 },
  { what: "no Bearer", headers: { Authorization: "x" }, status: 400, code: 6003, chain: 6111 },
  {
    what: "short token",
    headers: { Authorization: "Bearer abc" },
    status: 400,
    code: 6003,
    chain: 6111,
  },
  { what: "global key", headers: { "X-Auth-Key": "abc" }, status: 400, code: 6003, chain: 6103 },
  {
    what: "unknown token",
    headers: { Authorization: `Bearer ${"z".repeat(40)}` },
    status: 403,
    code: 9109,
  },
];
test.each(credentials)(
  "credentials: $what -> $status $code",
  async ({ headers, status, code, chain }) => {
    const on = await lab();
    const answered = await call(on, "GET", "/zones", undefined, { headers });
    expect(answered).toMatchObject({ status, codes: [code] });
    expect(answered.errors[0]?.error_chain?.[0]?.code).toBe(chain);
  },
);

test("a token limited to a zone sees only that zone; a read-only one cannot write", async () => {
  const limited = { token: "l".repeat(40), zones: ["shop.test"] };
  const reader = { token: "r".repeat(40), readOnly: true };
  const other = "b".repeat(32);
  const zones = [
    { name: "shop.test", id: zoneId },
    { name: "other.test", id: other },
  ];
  const on = await lab({ zones, tokens: [limited, reader] });
  const list = await call(on, "GET", "/zones", undefined, { token: limited.token });
  expect(list.result).toMatchObject([{ name: "shop.test" }]);
  const foreign = await call(on, "GET", `/zones/${other}/dns_records`, undefined, {
    token: limited.token,
  });
  expect(foreign).toMatchObject({ status: 403, codes: [9109] });
  const read = await call(on, "GET", recordsPath, undefined, { token: reader.token });
  expect(read.status).toBe(200);
  const write = await call(on, "POST", recordsPath, a, { token: reader.token });
  expect(write).toMatchObject({ status: 403, codes: [10000] });
  expect(on.records("shop.test")).toEqual([]);
});

test("the record quota of a plan ends in 81045, and a delete makes room", async () => {
  const on = await lab({ knobs: { recordQuota: 1 } });
  const id = await create(on, a);
  const over = await call(on, "POST", recordsPath, txt);
  expect(over).toMatchObject({ status: 400, codes: [81045] });
  await call(on, "DELETE", `${recordsPath}/${id}`);
  expect(recordOf(await call(on, "POST", recordsPath, txt)).type).toBe("TXT");
});
