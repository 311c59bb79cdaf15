import { VirtualClock } from "../../lab/cloudflare";
import { call, closeLabs, lab, recordsPath } from "./client";

afterEach(closeLabs);

test("the 1,201st call in 300 s blocks every call of the owner for 300 s, dashboard included", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  on.quota("user", 1198);
  const near = await call(on, "GET", recordsPath);
  expect(near.headers.get("ratelimit")).toBe('"default";r=1;t=300');
  expect(near.headers.get("ratelimit-policy")).toBe('"default";q=1200;w=300');
  expect(near.headers.get("retry-after")).toBeNull();
  clock.advance(100_000);
  expect((await call(on, "GET", recordsPath)).headers.get("ratelimit")).toBe('"default";r=0;t=200');

  const over = await call(on, "GET", recordsPath);
  expect(over).toMatchObject({ status: 429, codes: [971] });
  expect(over.headers.get("retry-after")).toBe("300");
  clock.advance(299_000);
  const still = await call(on, "GET", recordsPath);
  expect(still.status).toBe(429);
  expect(still.headers.get("retry-after")).toBe("1");
  clock.advance(1_000);
  const free = await call(on, "GET", recordsPath);
  expect(free.status).toBe(200);
  expect(free.headers.get("ratelimit")).toBe('"default";r=1199;t=300');
});

test("a window that was not exceeded simply starts anew", async () => {
  const clock = new VirtualClock();
  const on = await lab({ clock });
  on.quota("user", 1200);
  clock.advance(300_000);
  expect(on.quota()).toEqual({ remaining: 1200, resetSeconds: 300, blocked: false });
});

test("a token with an owner of its own has a quota of its own", async () => {
  const token = "o".repeat(40);
  const on = await lab({ clock: new VirtualClock(), tokens: [{ token, owner: "failover" }] });
  on.quota("user", 5000);
  expect((await call(on, "GET", recordsPath)).status).toBe(429);
  expect((await call(on, "GET", recordsPath, undefined, { token })).status).toBe(200);
});

test("the older 429 has code 10100 and may come without Retry-After", async () => {
  const rate = { limit: 1, windowSeconds: 300, code: 10100, retryAfter: false } as const;
  const on = await lab({ clock: new VirtualClock(), knobs: { rate } });
  await call(on, "GET", recordsPath);
  const over = await call(on, "GET", recordsPath);
  expect(over).toMatchObject({ status: 429, codes: [10100] });
  expect(over.headers.get("retry-after")).toBeNull();
});
