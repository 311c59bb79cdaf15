import { plan } from "../../plan/plan";
import type { Observed, SiteFacts } from "../../plan/observed";
import { commandOf } from "../../plan/render/command";
import type { LogicalSlot, Sender } from "../../plan/surroundings";
import { end, update } from "./update";
import { input, parsed, scripts } from "./wish";
import { newPair, observe } from "./world";

const RECEIVER: Sender = {
  ...{ pid: "42", application: "pg_receivewal", user: "barman", address: "192.0.2.9" },
  ...{ slot: "archive", type: "physical", state: "streaming" },
};

/** A pair at rest, a serving, and what replicates from a besides b. */
function seen(more: Partial<SiteFacts>, atB: Partial<SiteFacts> = {}): Observed {
  const { sites, dns } = observe(end(update(newPair("a"), { activeSite: "a" })));
  const senders = more.senders ?? [];
  return {
    dns,
    sites: {
      a: { ...sites.a, foreignSenders: senders.length, ...more } as Observed["sites"]["a"],
      b: { ...sites.b, ...atB } as Observed["sites"]["b"],
    },
  };
}

function flip(observed: Observed, followers: readonly unknown[] = []) {
  const raw = input();
  const with_ = (site: "a" | "b") => ({
    ...raw.sites[site],
    database: { ...raw.sites[site].database, followers },
  });
  const wish = parsed({ ...raw, activeSite: "b", sites: { a: with_("a"), b: with_("b") } });
  return { wish, made: plan(wish, observed, scripts) };
}

const said = (observed: Observed, followers: readonly unknown[] = []) =>
  flip(observed, followers).made.refusals.map(({ what, hint }) => `${what}\n${hint}`);

test("an undeclared one is refused with what it is and the line that declares it", () => {
  const [text, ...more] = said(seen({ senders: [RECEIVER] }));
  expect(more).toEqual([]);
  expect(text).toMatch(
    /"pg_receivewal" \(user barman, slot archive, from 192\.0\.2\.9, streaming\)/,
  );
  expect(text).toContain(
    'add to database.postgres.followers: { name: "pg_receivewal", match: { applicationName: "pg_receivewal" }, kind: "archive", slot: "archive" }',
  );
  expect(text).toContain("SELECT pg_terminate_backend(42)");
});

test.each<[string, Partial<Sender>, string]>([
  ["a read replica", { application: "walreceiver", slot: undefined }, 'kind: "physical" }'],
  [
    "Debezium",
    { application: "Debezium Streaming", slot: "dbz", type: "logical" },
    'name: "Debezium-Streaming", match: { applicationName: "Debezium Streaming" }, kind: "logical", slot: "dbz" }',
  ],
  ["one without a name", { application: "" }, 'match: { user: "barman" }'],
])("the line for %s fits it", (_name, change, line) => {
  expect(said(seen({ senders: [{ ...RECEIVER, ...change }] }))[0]).toContain(line);
});

test("each undeclared one is named, and those that were not told are counted", () => {
  const senders = [RECEIVER, { ...RECEIVER, pid: "43", application: "other" }];
  expect(said(seen({ senders, foreignSenders: 5 }))).toHaveLength(3);
});

test("a base backup is waited for", () => {
  const [refusal] = flip(seen({ senders: [{ ...RECEIVER, state: "backup" }] })).made.refusals;
  expect(refusal).toMatchObject({ later: true });
});

const DECLARED = {
  name: "barman",
  match: { user: "barman" },
  kind: "archive",
  repoint: "barman-move 'x'",
};

test("a declared one holds up nothing: the fence knows it, and it is led over after the promotion", () => {
  const { wish, made } = flip(seen({ senders: [RECEIVER] }), [DECLARED]);
  expect(made.refusals).toEqual([]);
  const text = (id: string) => {
    const step = made.steps.find((one) => one.id === id);
    return step === undefined ? "" : commandOf(step, wish, scripts, "act").stdin;
  };
  const lines = "follower=barman archive\nfollower_user=barman\nfollower_repoint=barman-move 'x'";
  for (const id of ["preflight", "fence", "outside", "settle"]) expect(text(id)).toContain(lines);
  expect(text("verify") + text("promote")).not.toContain("follower");
  expect(text("outside")).toContain("part b postgres_repoint");
});

const SLOT: LogicalSlot = { name: "dbz", plugin: "pgoutput", failover: false, synced: false };

test.each<[string, Partial<SiteFacts>, LogicalSlot, RegExp | undefined]>([
  [
    "before 17",
    { version: 15 },
    SLOT,
    /logical slot dbz \(pgoutput\) of site a starts anew at site b.*snapshot there$/,
  ],
  ["17 without failover", { version: 17 }, SLOT, /made with failover => true/],
  [
    "17, failover, not synchronised",
    { version: 17 },
    { ...SLOT, failover: true },
    /set sync_replication_slots/,
  ],
  [
    "17, synchronised",
    { version: 17, logicalSlots: [{ ...SLOT, synced: true }] },
    { ...SLOT, failover: true },
    undefined,
  ],
])(
  "a logical slot is named before the fence where it starts anew: %s",
  (_name, atB, slot, text) => {
    const version = atB.version === undefined ? {} : { version: atB.version };
    const both = { ...atB, programs: atB.version };
    const { made } = flip(seen({ ...version, programs: atB.version, logicalSlots: [slot] }, both));
    const named = made.warnings.filter((one) => one.includes("logical slot"));
    if (text === undefined) expect(named).toEqual([]);
    else expect(named).toEqual([expect.stringMatching(text)]);
  },
);

test("declarations that cannot work are found with the other arguments", () => {
  const of = (one: unknown) => () => flip(seen({}), [one, ...(one === DECLARED ? [DECLARED] : [])]);
  expect(of(DECLARED)).toThrow(/used twice/);
  expect(of({ ...DECLARED, match: {} })).toThrow(/applicationName: TEXT/);
  expect(of({ ...DECLARED, match: { applicationName: "standby_b" } })).toThrow(/the pair's own/);
  expect(of({ ...DECLARED, repoint: "a\nb" })).toThrow(/one line/);
  expect(of({ ...DECLARED, kind: "cascade" })).toThrow(/archive/);
});
