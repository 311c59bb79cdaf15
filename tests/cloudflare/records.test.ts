import type { z } from "zod";
import { call, closeLabs, create, lab, listOf, recordOf, recordsPath, zoneId } from "./client";

afterEach(closeLabs);

// Bodies that the real provider was recorded to send.
const witness = {
  ...{ content: '"v=1 epoch=1 to=a"', name: "_standby.shop.test", proxied: false, ttl: 60 },
  type: "TXT",
};
const pivot = {
  ...{ content: "site-a.shop.test", name: "active.shop.test", proxied: false, ttl: 60 },
  type: "CNAME",
};
const flags = { flatten_cname: false, ipv4_only: false, ipv6_only: false };

test("the real provider's POST is answered with all computed fields", async () => {
  const on = await lab();
  const answered = await call(on, "POST", recordsPath, witness);
  const record = recordOf(answered);
  expect(answered).toMatchObject({ status: 200, success: true, errors: [], messages: [] });
  expect(record).toEqual({
    ...witness,
    ...{ id: record.id, proxiable: false, settings: {}, meta: {}, comment: null, tags: [] },
    created_on: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    modified_on: record["created_on"],
  });
});

test("the real provider's PUT replaces the record, keeps id and created_on, and echoes settings", async () => {
  const on = await lab();
  const before = recordOf(await call(on, "POST", recordsPath, pivot));
  expect(before).toMatchObject({ settings: flags, proxiable: true });
  const put = { ...pivot, content: "site-b.shop.test", settings: flags, tags: [] };
  const after = recordOf(await call(on, "PUT", `${recordsPath}/${before.id}`, put));
  expect(after).toMatchObject({ ...put, id: before.id, created_on: before["created_on"] });
  expect(recordOf(await call(on, "GET", `${recordsPath}/${before.id}`))).toEqual(after);
  const twice = recordOf(await call(on, "PUT", `${recordsPath}/${before.id}`, put));
  expect(twice.content).toBe("site-b.shop.test");
});

test("PUT forgets what it does not say, PATCH keeps it", async () => {
  const on = await lab();
  const id = await create(on, { ...pivot, comment: "flip me", tags: ["team:web"] });
  const patch = { content: "site-b.shop.test" };
  const patched = recordOf(await call(on, "PATCH", `${recordsPath}/${id}`, patch));
  expect(patched).toMatchObject({ ...patch, comment: "flip me", tags: ["team:web"], ttl: 60 });
  expect(patched).toHaveProperty("comment_modified_on");
  const put = { name: "active.shop.test", type: "CNAME", content: "site-a.shop.test" };
  const bare = recordOf(await call(on, "PUT", `${recordsPath}/${id}`, { ...put, comment: null }));
  expect(bare).toMatchObject({ ttl: 1, comment: null, tags: [] });
  expect(bare).not.toHaveProperty("comment_modified_on");
  expect(bare).not.toHaveProperty("tags_modified_on");
});

test("DELETE answers the id alone", async () => {
  const on = await lab();
  const id = await create(on, pivot);
  expect((await call(on, "DELETE", `${recordsPath}/${id}`)).result).toEqual({ id });
  expect((await call(on, "GET", `${recordsPath}/${id}`)).codes).toEqual([81044]);
});

test.each([
  ["www", "www.shop.test"],
  ["@", "shop.test"],
  ["shop.test", "shop.test"],
  ["WWW.Shop.Test.", "www.shop.test"],
  ["*.x", "*.x.shop.test"],
  ["xn--bcher-kva", "xn--bcher-kva.shop.test"],
  ["bücher", "xn--bcher-kva.shop.test"],
  ["www.other.test", "www.other.test.shop.test"],
])("the name %s is stored as %s", async (name, stored) => {
  const on = await lab();
  const record = recordOf(await call(on, "POST", recordsPath, { ...witness, name }));
  expect(record.name).toBe(stored);
});

test.each([
  [{ type: "CNAME", content: "Site-A.Shop.Test." }, { content: "site-a.shop.test" }],
  [{ type: "AAAA", content: "2001:DB8:0:0::1" }, { content: "2001:db8::1" }],
  [
    { type: "A", content: "192.0.2.1", proxied: true, ttl: 120 },
    { ttl: 1, proxied: true },
  ],
  [
    { type: "A", content: "192.0.2.1" },
    { ttl: 1, proxied: false, proxiable: true },
  ],
  [
    { type: "SRV", data: { priority: 1, weight: 2, port: 443, target: "x.test" } },
    { content: "2 443 x.test", priority: 1 },
  ],
  [
    { type: "CAA", data: { flags: 0, tag: "issue", value: "ca.test" } },
    { content: '0 issue "ca.test"' },
  ],
])("normalised: %j", async (body, stored) => {
  const on = await lab();
  const record = recordOf(await call(on, "POST", recordsPath, { name: "x", ...body }));
  expect(record).toMatchObject(stored);
});

test.each([
  ["full", flags, {}],
  ["empty", {}, {}],
  ["omit", undefined, undefined],
] as const)("the settings knob %s", async (settings, ofCname, ofTxt) => {
  const on = await lab({ knobs: { settings } });
  expect(recordOf(await call(on, "POST", recordsPath, pivot))["settings"]).toEqual(ofCname);
  expect(recordOf(await call(on, "POST", recordsPath, witness))["settings"]).toEqual(ofTxt);
});

test("lists are paged and end in an empty page", async () => {
  const on = await lab();
  for (let n = 0; n < 120; n += 1) {
    on.setRecord("shop.test", { type: "A", name: `n${n}`, content: "192.0.2.1" });
  }
  const first = await call(on, "GET", recordsPath);
  expect(first.result_info).toEqual({
    ...{ page: 1, per_page: 100, count: 100, total_count: 120, total_pages: 2 },
  });
  const names = listOf(await call(on, "GET", `${recordsPath}?page=2`)).map((r) => r.name);
  expect(names).toHaveLength(20);
  const beyond = await call(on, "GET", `${recordsPath}?page=3`);
  expect(beyond).toMatchObject({ status: 200, result: [], result_info: { count: 0 } });
  const huge = await call(on, "GET", `${recordsPath}?per_page=9999`);
  expect(huge.result_info).toMatchObject({ per_page: 5000, count: 120 });
});

test.each([
  ["name.exact=www.shop.test", ["www.shop.test", "www.shop.test"]],
  ["name=WWW.shop.test&type=A", ["www.shop.test"]],
  ["content.contains=site-a", ["active.shop.test"]],
  ["content.exact=192.0.2.10", ["www.shop.test"]],
  ["comment.exact=blue", ["www.shop.test"]],
  ["comment.present=true&type=A", ["www.shop.test"]],
  ["type=CNAME", ["active.shop.test"]],
  ["proxied=true", []],
  ["match=any&type=CNAME&comment.exact=blue", ["active.shop.test", "www.shop.test"]],
  ["search=site-a", ["active.shop.test"]],
  ["name.startswith=act", ["active.shop.test"]],
  ["tag.present=team", ["www.shop.test"]],
])("list filter %s", async (query, names) => {
  const on = await lab();
  const mine = { comment: "blue", tags: ["team:web"] };
  await create(on, { type: "A", name: "www", content: "192.0.2.10", ...mine });
  await create(on, { type: "AAAA", name: "www", content: "2001:db8::10" });
  await create(on, pivot);
  const found = listOf(await call(on, "GET", `${recordsPath}?${query}`));
  expect(found.map((r) => r.name).sort()).toEqual(names);
});

test("order and direction sort a list", async () => {
  const on = await lab();
  for (const name of ["b", "c", "a"]) {
    await create(on, { type: "A", name, content: "192.0.2.1" });
  }
  const list = await call(on, "GET", `${recordsPath}?order=name&direction=desc`);
  expect(listOf(list).map((r: z.infer<z.ZodObject>) => r["name"])).toEqual([
    ...["c.shop.test", "b.shop.test", "a.shop.test"],
  ]);
});

test("zones: found by name, read, paused, created, refused twice, deleted", async () => {
  const on = await lab();
  const found = await call(on, "GET", "/zones?name=shop.test");
  expect(found.result).toMatchObject([{ id: zoneId, name: "shop.test", status: "active" }]);
  expect((await call(on, "GET", "/zones?name=other.test")).result).toEqual([]);
  expect((await call(on, "GET", `/zones/${zoneId}`)).result).toMatchObject({ paused: false });
  const paused = await call(on, "PATCH", `/zones/${zoneId}`, { paused: true });
  expect(paused.result).toMatchObject({ paused: true });
  const made = await call(on, "POST", "/zones", { name: "other.test", account: { id: "x" } });
  expect(made.result).toMatchObject({ name: "other.test" });
  expect((await call(on, "POST", "/zones", { name: "other.test" })).codes).toEqual([1061]);
  expect((await call(on, "DELETE", `/zones/${zoneId}`)).result).toEqual({ id: zoneId });
  expect(on.zones.map((z) => z.name)).toEqual(["other.test"]);
});

test("the API is served with and without /client/v4", async () => {
  const on = await lab();
  const headers = { Authorization: `Bearer ${on.token}` };
  const bare = await fetch(`${on.apiUrl.replace("/client/v4", "")}${recordsPath}`, { headers });
  expect(bare.status).toBe(200);
  expect(await bare.json()).toMatchObject({ success: true, result: [] });
  expect(on.requests().map((r) => r.path)).toEqual([recordsPath]);
});
