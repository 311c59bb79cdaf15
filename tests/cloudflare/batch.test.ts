import { z } from "zod";
import { call, closeLabs, create, lab, recordsPath } from "./client";

afterEach(closeLabs);

const batchPath = `${recordsPath}/batch`;
const a = { type: "A", name: "www", content: "192.0.2.10", ttl: 60 };
const aaaa = { type: "AAAA", name: "www", content: "2001:db8::10", ttl: 60 };
const cname = { type: "CNAME", name: "www", content: "active.shop.test", ttl: 60 };

test("addresses become an alias in one call, because deletes run before posts", async () => {
  const on = await lab();
  const ids = [await create(on, a), await create(on, aaaa)];
  const body = { deletes: ids.map((id) => ({ id })), posts: [cname] };
  const answered = await call(on, "POST", batchPath, body);
  const deletes = ids.map((id) => ({ id }));
  const posts = [{ ...cname, name: "www.shop.test" }];
  expect(answered).toMatchObject({
    status: 200,
    result: { deletes, patches: [], puts: [], posts },
  });
  expect(on.records("shop.test")).toMatchObject([{ type: "CNAME", name: "www.shop.test" }]);
  const serials = new Set(
    on
      .history()
      .slice(2)
      .map((c) => c.serial),
  );
  expect(serials.size).toBe(1);
});

test("order is deletes, patches, puts, posts", async () => {
  const on = await lab();
  const gone = await create(on, { ...a, name: "gone" });
  const moved = await create(on, { ...a, name: "moved" });
  const put = await create(on, { ...a, name: "put" });
  const answered = await call(on, "POST", batchPath, {
    posts: [{ ...cname, name: "put" }],
    puts: [{ ...cname, id: put, name: "moved" }],
    patches: [{ id: moved, name: "gone", type: "CNAME", content: "x.test" }],
    deletes: [{ id: gone }],
  });
  expect(answered.codes).toEqual([]);
  const names = z.object({ posts: z.array(z.object({ name: z.string() })) });
  expect(names.parse(answered.result).posts[0]?.name).toBe("put.shop.test");
});

test.each([
  ["an unknown delete", { deletes: [{ id: "f".repeat(32) }] }, 404, 81044],
  [
    "a bad post",
    {
      posts: [
        { ...a, name: "new" },
        { ...a, ttl: 3 },
      ],
    },
    400,
    9021,
  ],
  [
    "a conflict among the posts",
    {
      posts: [
        { ...cname, name: "n" },
        { ...a, name: "n" },
      ],
    },
    400,
    81054,
  ],
])(
  "all or nothing: %s changes nothing, and the first error is the answer",
  async (_, extra, status, code) => {
    const on = await lab();
    const id = await create(on, a);
    const before = { records: on.records("shop.test"), history: on.history() };
    const body = { patches: [{ id, content: "192.0.2.99" }], ...extra };
    const answered = await call(on, "POST", batchPath, body);
    expect(answered).toMatchObject({ status, codes: [code] });
    expect({ records: on.records("shop.test"), history: on.history() }).toEqual(before);
  },
);

test("200 changes fit, 201 do not; the limit is a knob", async () => {
  const on = await lab();
  const posts = Array.from({ length: 201 }, (_, n) => ({ ...a, name: `n${n}` }));
  expect((await call(on, "POST", batchPath, { posts })).status).toBe(400);
  expect(on.records("shop.test")).toEqual([]);
  expect((await call(on, "POST", batchPath, { posts: posts.slice(1) })).status).toBe(200);
  on.knobs.batchLimit = 3500;
  const more = posts.map((p) => ({ ...p, name: `x${p.name}` }));
  expect((await call(on, "POST", batchPath, { posts: more })).status).toBe(200);
  expect(on.records("shop.test")).toHaveLength(401);
});
