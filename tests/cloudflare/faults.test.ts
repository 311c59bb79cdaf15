import { VirtualClock } from "../../lab/cloudflare";
import { call, closeLabs, create, lab, listOf, recordsPath } from "./client";
import { udp } from "./dnsClient";

afterEach(closeLabs);

const a = { type: "A", name: "www", content: "192.0.2.10", ttl: 60 };

test("an injected answer strikes as often as told and commits nothing", async () => {
  const on = await lab();
  const headers = { "Retry-After": "7" };
  const act = { kind: "answer", status: 503, code: 10001, headers } as const;
  const handle = on.faults.add({ method: "POST", path: /dns_records$/, skip: 1, times: 1, act });
  expect((await call(on, "POST", recordsPath, a)).status).toBe(200);
  const struck = await call(on, "POST", recordsPath, { ...a, name: "x" });
  expect(struck).toMatchObject({ status: 503, codes: [10001] });
  expect(struck.headers.get("retry-after")).toBe("7");
  expect((await call(on, "POST", recordsPath, { ...a, name: "y" })).status).toBe(200);
  expect(handle.hits).toBe(1);
  expect(on.records("shop.test").map((r) => r.name)).toEqual(["www.shop.test", "y.shop.test"]);
  expect(on.requests().map((r) => [r.status, r.fault])).toEqual([
    ...[
      [200, undefined],
      [503, "answer"],
      [200, undefined],
    ],
  ]);
});

test("200 with success:false looks fine to a client that reads statuses only", async () => {
  const on = await lab();
  on.faults.add({ act: { kind: "lie" } });
  const answered = await call(on, "POST", recordsPath, a);
  expect(answered).toMatchObject({ status: 200, success: false, result: null });
  expect(on.records("shop.test")).toEqual([]);
});

test("a connection cut before the commit leaves nothing", async () => {
  const on = await lab();
  on.faults.add({ method: "POST", times: 1, act: { kind: "dropBeforeCommit" } });
  await expect(call(on, "POST", recordsPath, a)).rejects.toThrow();
  expect(on.records("shop.test")).toEqual([]);
  expect(on.requests()).toMatchObject([{ method: "POST", status: 0, fault: "dropBeforeCommit" }]);
});

test("a connection cut after the commit leaves the record, and the retry is 81058", async () => {
  const on = await lab();
  on.faults.add({ method: "POST", times: 1, act: { kind: "commitThenDrop" } });
  await expect(call(on, "POST", recordsPath, a)).rejects.toThrow();
  expect(on.records("shop.test")).toHaveLength(1);
  expect((await call(on, "POST", recordsPath, a)).codes).toEqual([81058]);
});

test("a hang ends with the client, with the rule, or with the lab", async () => {
  const on = await lab();
  const rule = on.faults.add({ path: "dns_records", act: { kind: "hang" } });
  const gone = AbortSignal.timeout(50);
  await expect(call(on, "GET", recordsPath, undefined, { signal: gone })).rejects.toThrow();
  const waiting = call(on, "GET", recordsPath);
  const rejected = expect(waiting).rejects.toThrow();
  while (rule.hits < 2) await new Promise((r) => setImmediate(r));
  rule.remove();
  await rejected;
  expect((await call(on, "GET", recordsPath)).status).toBe(200);
  on.faults.add({ act: { kind: "hang" } });
  const last = expect(call(on, "GET", recordsPath)).rejects.toThrow();
  while (on.requests().length < 4) await new Promise((r) => setImmediate(r));
  await on.close();
  await last;
});

test("a delay passes on the lab's clock", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  const rule = on.faults.add({ act: { kind: "delay", ms: 90_000 } });
  const answer = call(on, "POST", recordsPath, a);
  while (rule.hits < 1) await new Promise((r) => setImmediate(r));
  expect(on.records("shop.test")).toEqual([]);
  clock.advance(90_000);
  expect((await answer).status).toBe(200);
  expect(on.requests()[0]).toMatchObject({ tookMs: 90_000 });
});

test("a deleted record lags: another type at its name is refused until the lag is over", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock, knobs: { deleteLagMs: 5_000 } });
  const id = await create(on, { type: "CNAME", name: "www", content: "x.test" });
  await call(on, "DELETE", `${recordsPath}/${id}`);
  expect((await call(on, "POST", recordsPath, a)).codes).toEqual([81054]);
  clock.advance(5_000);
  expect((await call(on, "POST", recordsPath, a)).status).toBe(200);
});

test("a stale list: what was made, changed and deleted shows in it later, in a single read at once", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  const kept = await create(on, { ...a, name: "kept" });
  const gone = await create(on, { ...a, name: "gone" });
  clock.advance(60_000);
  on.knobs.listLagMs = 5_000;
  const fresh = await create(on, { ...a, name: "fresh" });
  await call(on, "PATCH", `${recordsPath}/${kept}`, { content: "192.0.2.11" });
  await call(on, "DELETE", `${recordsPath}/${gone}`);
  const listed = async (): Promise<string[]> =>
    listOf(await call(on, "GET", recordsPath))
      .map(({ name, content }) => `${name} ${content}`)
      .sort();
  expect(await listed()).toEqual(["gone.shop.test 192.0.2.10", "kept.shop.test 192.0.2.10"]);
  expect((await call(on, "GET", `${recordsPath}/${fresh}`)).status).toBe(200);
  expect((await call(on, "GET", `${recordsPath}/${gone}`)).codes).toEqual([81044]);
  clock.advance(5_000);
  expect(await listed()).toEqual(["fresh.shop.test 192.0.2.10", "kept.shop.test 192.0.2.11"]);
});

test.each([500, 502, 503, 504])(
  "%i strikes reads too, and says so in the envelope",
  async (status) => {
    const on = await lab();
    on.faults.add({ times: 1, act: { kind: "answer", status, code: 10001 } });
    expect(await call(on, "GET", recordsPath)).toMatchObject({
      status,
      success: false,
      codes: [10001],
    });
    expect((await call(on, "GET", recordsPath)).status).toBe(200);
  },
);

test("a PUT that is lost after its commit may be sent again: the same record, once more", async () => {
  const on = await lab();
  const id = await create(on, a);
  const next = { ...a, content: "192.0.2.11" };
  on.faults.add({ method: "PUT", times: 1, act: { kind: "commitThenDrop" } });
  await expect(call(on, "PUT", `${recordsPath}/${id}`, next)).rejects.toThrow();
  expect((await call(on, "PUT", `${recordsPath}/${id}`, next)).status).toBe(200);
  expect(on.records("shop.test")).toMatchObject([{ id, content: "192.0.2.11" }]);
});

test("propagation: the API answers at once, the name servers each record in its time", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  on.knobs.propagationMs = (record) => (record.name.startsWith("slow") ? 30_000 : 1_000);
  await create(on, { ...a, name: "slow" });
  await create(on, { ...a, name: "fast" });
  const seen = async (name: string): Promise<number> =>
    (await udp(on, `${name}.shop.test`, "A")).answers.length;
  expect([await seen("slow"), await seen("fast")]).toEqual([0, 0]);
  clock.advance(1_000);
  expect([await seen("slow"), await seen("fast")]).toEqual([0, 1]);
  clock.advance(29_000);
  expect([await seen("slow"), await seen("fast")]).toEqual([1, 1]);
  expect(on.history().map((c) => c.visibleMs - c.ms)).toEqual([30_000, 1_000]);
});

test("a record's changes never overtake each other", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  on.knobs.propagationMs = 10_000;
  const id = await create(on, a);
  on.knobs.propagationMs = 0;
  await call(on, "PATCH", `${recordsPath}/${id}`, { content: "192.0.2.11" });
  expect((await udp(on, "www.shop.test", "A")).answers).toEqual([]);
  clock.advance(10_000);
  expect((await udp(on, "www.shop.test", "A")).answers).toEqual(["www.shop.test 60 A 192.0.2.11"]);
});

test("history holds who changed what from what, also behind the API's back", async () => {
  const clock = new VirtualClock(1_000_000);
  const on = await lab({ clock });
  const id = await create(on, a);
  clock.advance(500);
  on.setRecord("shop.test", { type: "A", name: "www", content: "203.0.113.9", ttl: 60 });
  expect(on.deleteRecord("shop.test", "www")).toBe(1);
  expect(on.history()).toMatchObject([
    { ms: 1_000_000, serial: 2, source: "api", zone: "shop.test", after: { id } },
    {
      ...{ ms: 1_000_500, serial: 3, source: "behind" },
      before: { id, content: "192.0.2.10" },
      after: { id, content: "203.0.113.9" },
    },
    { serial: 4, source: "behind", before: { id } },
  ]);
  expect(on.history()[2]).not.toHaveProperty("after");
  expect((await call(on, "PUT", `${recordsPath}/${id}`, a)).codes).toEqual([81044]);
});
