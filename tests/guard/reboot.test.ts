import { GuardedPair } from "../../lab/guarded";
import { Ledger } from "../../lab/ledger/ledger";
import { overlappingAcks } from "../../lab/ledger/report";
import { Sampler } from "../../lab/sampler";
import type { SiteId } from "../../plan/terms";

/**
 * Either host loses power in the middle of a hand-over and boots again by itself, while clients write to whoever
 * takes it. Invariant: no acknowledged write of one site overlaps with the other's, and never do both take writes.
 */

const kinds = ["switchover", "failover"] as const;
const phases = ["witness", "drain", "fence", "verify", "promote"] as const;
type Phase = (typeof phases)[number];

let pair: GuardedPair;
let ledger: Ledger;
let sampler: Sampler;
beforeAll(async () => {
  pair = await GuardedPair.open();
  const { lab } = pair;
  const port = lab.databasePort;
  ledger = Ledger.start({
    ...{ dns: lab.dns, name: lab.zone, port, hosts: [lab.a.host, lab.b.host], writers: 4 },
    delayMs: 10,
  });
  sampler = Sampler.start(
    [lab.a, lab.b].map(({ id, host }) => ({ site: id, host, port, user: "postgres" })),
    20,
  );
}, 60_000);
afterAll(async () => {
  await Promise.all([ledger.stop(), sampler.stop()]);
  await pair.close();
}, 30_000);

/** A hand-over by the verbs, up to and with this phase. */
async function handOver(kind: (typeof kinds)[number], last: Phase): Promise<void> {
  const { verbs, primary: from, standby: to } = pair;
  pair.announce(kind);
  const lines = pair.lines();
  const acts: Record<Phase, () => Promise<unknown>> = {
    witness: () => verbs.holds(to, "site/witness", { value: "seen", ...lines }),
    drain: async () => {
      for (const site of [from, to])
        await verbs.holds(site, "site/maintenance", { value: "on", ...lines });
    },
    fence: async () => {
      const fenced = await verbs.holds(from, "postgres/fence", {
        ...{ value: kind === "failover" ? "dead" : "stop", ...lines },
      });
      token = /^token=(.*)$/m.exec(fenced)?.[1] ?? "";
    },
    verify: () =>
      verbs.holds(to, "postgres/verify", {
        ...(kind === "failover" ? { value: "accepted" } : { value: "token", token }),
        accept_loss: String(pair.record.epoch),
        ...lines,
      }),
    promote: () => verbs.holds(to, "postgres/promote", { value: "permit", ...lines }),
  };
  let token = "";
  for (const phase of phases.slice(0, phases.indexOf(last) + 1)) await acts[phase]();
}

async function powerCut(site: SiteId): Promise<string> {
  await pair.lab.sites[site].killAll();
  return (await pair.lab.sites[site].boot()).stdout;
}

// A failover differs from a switchover in what the witness says and in how the promotion came about.
const phasesOf = { switchover: phases, failover: ["witness", "promote"] } as const;
const cells = kinds.flatMap((kind) =>
  phasesOf[kind].flatMap((phase) => (["from", "to"] as const).map((who) => ({ kind, phase, who }))),
);

test.each(cells)(
  "$kind, power cut of $who after $phase",
  async ({ kind, phase, who }) => {
    const site = who === "from" ? pair.primary : pair.standby;
    await handOver(kind, phase);
    const booted = await powerCut(site);
    const writers = await Promise.all([pair.writable("a"), pair.writable("b")]);
    expect(writers.filter(Boolean).length).toBeLessThanOrEqual(1);
    // The witness gave the site that is left away; from then on no boot of it ends writable.
    if (who === "from") expect(booted).toContain("role=standby");
    await pair.settle(phase === "promote");
  },
  60_000,
);

test("no acknowledged write of one site overlaps with the other's, and no sample has two writers", () => {
  const acked = ledger.operations().filter((one) => one.outcome === "acknowledged");
  expect(new Set(acked.map((one) => one.host)).size).toBe(2);
  expect(overlappingAcks(acked)).toBe(0);
  expect(sampler.twoWriterSamples).toBe(0);
});
