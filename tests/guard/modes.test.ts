import { GuardedPair, type Isolation } from "../../lab/guarded";

/** What keeps a primary that is cut off from something, in each mode: real servers, real dig, real signatures. */

let pair: GuardedPair;
beforeAll(async () => {
  pair = await GuardedPair.open();
}, 60_000);
afterAll(() => pair.close(), 60_000);

const sights = {
  "DNS but not b": { peer: false },
  "b but not DNS": { dns: false },
  "neither b nor DNS": { dns: false, peer: false },
  "an old, validly signed record and not b": { peer: false, old: true },
  "an old, validly signed record and b": { old: true },
} as const;
type Seen = keyof typeof sights;

const keeps: Readonly<Record<Isolation, Readonly<Record<Seen, boolean>>>> = {
  either: {
    "DNS but not b": true,
    "b but not DNS": true,
    "neither b nor DNS": false,
    "an old, validly signed record and not b": false,
    "an old, validly signed record and b": true,
  },
  lease: {
    "DNS but not b": false,
    "b but not DNS": true,
    "neither b nor DNS": false,
    "an old, validly signed record and not b": false,
    "an old, validly signed record and b": true,
  },
  keep: {
    "DNS but not b": true,
    "b but not DNS": true,
    "neither b nor DNS": true,
    "an old, validly signed record and not b": true,
    "an old, validly signed record and b": true,
  },
};

const cells = (Object.keys(keeps) as Isolation[]).flatMap((isolation) =>
  (Object.keys(sights) as Seen[]).map((seen) => ({
    isolation,
    seen,
    served: keeps[isolation][seen] ? "serves on" : "fences itself",
  })),
);

async function judged(isolation: Isolation, seen: Seen): Promise<void> {
  const { old = false, ...sight } = { old: false, ...sights[seen] };
  // A failover to b that has long been overtaken: neither a veto nor a support.
  if (old) pair.verbs.announce({ epoch: 3, from: "a", to: "b", kind: "failover" });
  await pair.install("a", { isolation, ...sight });
  if (keeps[isolation][seen]) {
    await pair.outlasts("a");
    expect(await pair.writable("a")).toBe(true);
    return;
  }
  await pair.isFenced("a");
  expect(pair.lab.a.guardLog()).toMatch(/no lease( and no witness)? for \d+ s/);
}

async function healed(): Promise<void> {
  pair.verbs.announce(pair.record);
  await pair.install("a", { isolation: "either" });
  if (!(await pair.writable("a"))) await pair.restart();
  expect(await pair.writable("a")).toBe(true);
}

test.each(cells)(
  "$isolation: a that sees $seen $served",
  async ({ isolation, seen }) => {
    await pair.install("a", { isolation });
    await pair.ready("a", isolation);
    try {
      await judged(isolation, seen);
    } finally {
      await healed();
    }
  },
  40_000,
);

test("the standby's death never stops the primary under either", async () => {
  await pair.install("a", { isolation: "either" });
  await pair.ready("a", "either");
  await pair.lab.b.killAll();
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(true);
  await pair.lab.b.boot();
}, 40_000);

test("what the database sets for its sessions takes no lease away", async () => {
  await pair.install("a", { isolation: "lease" });
  await pair.ready("a", "lease");
  const at = (text: string) => pair.lab.a.cluster.query(text, [], "template1");
  for (const hostile of [
    "default_transaction_isolation to serializable",
    "idle_session_timeout to 1",
    "client_encoding to sjis",
  ]) {
    await at(`alter database postgres set ${hostile}`);
  }
  try {
    await pair.outlasts("a");
    await pair.outlasts("a");
    expect(await at("select pg_is_in_recovery() as standby")).toEqual([{ standby: false }]);
  } finally {
    await at("alter database postgres reset all");
    await healed();
  }
}, 60_000);

test("a site that was promoted while nobody could be told has nothing to miss", async () => {
  // As after a failover with DNS unwritable and the other site lost: neither witness nor lease of its epoch was ever seen.
  pair.next("resume", "a");
  await pair.install("a", { dns: false, peer: false });
  await pair.verbs.holds("a", "postgres/promote", { value: "resume", ...pair.lines() });
  await pair.outlasts("a");
  expect(await pair.writable("a")).toBe(true);
  expect(pair.live("a").armed).toBe("no");
  await pair.install("a", {});
}, 40_000);
