import { Pair, type Input, type SiteId } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
let epoch = 1;

beforeAll(async () => {
  pair = await Pair.streaming();
  await pair.a.query("create table ledger(n int primary key)");
});
afterAll(() => pair.close());

/** Kills the verb at a checkpoint; at most one writer is left at any time. */
async function kill(site: SiteId, verb: string, input: Input, failAt: string): Promise<void> {
  const outcome = await pair.verb(site, verb, input, { failAt });
  expect([failAt, outcome.code]).toEqual([failAt, 137]);
  expect(await pair.writers()).toBeLessThanOrEqual(1);
}

interface Cut {
  readonly verb: "fence" | "verify" | "promote" | "rejoin" | "settle";
  readonly at: string;
}

const cuts: readonly Cut[] = [
  { verb: "fence", at: "run-stored" },
  { verb: "fence", at: "before-signal" },
  { verb: "fence", at: "signal-placed" },
  { verb: "fence", at: "before-token" },
  { verb: "verify", at: "before-permit" },
  { verb: "promote", at: "permit-consumed" },
  { verb: "promote", at: "promoted-stored" },
  { verb: "rejoin", at: "before-follow" },
  { verb: "settle", at: "before-settled" },
];

/** What a new run does after a kill: all of its steps again, each of which may find its work done. */
async function handOver(from: SiteId, to: SiteId, cut?: Cut): Promise<void> {
  const lines = pair.epoch(epoch, from, to, "switchover");
  const step = async (site: SiteId, verb: Cut["verb"], input: Input) => {
    if (cut?.verb === verb) await kill(site, verb, input, cut.at);
    return cut?.verb === verb ? undefined : pair.holds(site, verb, input);
  };
  const promoted = (await pair.observe(to))["promoted"]?.split("_")[0] === String(epoch);
  if (!promoted) {
    const fence = await step(from, "fence", { value: "stop", ...lines });
    if (fence === undefined) return;
    const token = fence.facts["token"] ?? "";
    await pair.holds(from, "fenced", { ...lines, token });
    if ((await step(to, "verify", { ...lines, token })) === undefined) return;
  }
  if ((await step(to, "promote", lines)) === undefined) return;
  if ((await step(from, "rejoin", lines)) === undefined) return;
  await step(to, "settle", lines);
}

test.each(cuts)("killed at $at of $verb, the next run carries on", async (cut) => {
  const [from, to]: [SiteId, SiteId] = epoch % 2 === 1 ? ["a", "b"] : ["b", "a"];
  epoch += 1;
  await pair.site(from).query(`insert into ledger values (${epoch})`);
  await handOver(from, to, cut);
  await handOver(from, to);
  expect(await pair.writers()).toBe(1);
  expect(await pair.observe(to)).toMatchObject({ role: "primary", settled: String(epoch) });
  expect(await pair.observe(from)).toMatchObject({ role: "standby", streaming: "yes" });
  const rows = await pair.site(to).query(`select n from ledger where n = ${epoch}`);
  expect(rows).toEqual([{ n: epoch }]);
});

test.each(["token-gone", "signal-removed"])(
  "killed at %s of resume, resume carries on",
  async (at) => {
    const [from, to]: [SiteId, SiteId] = epoch % 2 === 1 ? ["a", "b"] : ["b", "a"];
    epoch += 2;
    const lines = pair.epoch(epoch, from, to, "switchover");
    await pair.holds(from, "fence", { value: "stop", ...lines });
    await kill(to, "revoke", lines, "permit-gone");
    await pair.holds(to, "revoke", lines);
    await kill(from, "promote", { value: "resume", ...lines }, at);
    await pair.holds(from, "promote", { value: "resume", ...lines });
    await pair.holds(to, "rejoin", { value: "join" });
    expect(await pair.writers()).toBe(1);
  },
);

test("killed at each point of prepare and seed, the pair is made all the same", async () => {
  const fresh = await Pair.create();
  try {
    const lines = fresh.epoch(1, "b", "a", "initial");
    const prepared = { value: "hash", password: "x" };
    for (const site of ["a", "b"] as const) {
      const cut = await fresh.verb(site, "prepare", prepared, { failAt: "before-prepared" });
      expect(cut.code).toBe(137);
      await fresh.holds(site, "prepare", prepared);
    }
    for (const failAt of ["before-rename", "before-start"]) {
      expect((await fresh.verb("b", "seed", lines, { failAt })).code).toBe(137);
      expect(await fresh.writers()).toBe(1);
    }
    expect((await fresh.holds("b", "seed", lines)).facts).toEqual({ streaming: "yes" });
  } finally {
    await fresh.close();
  }
});
