// Facts are parsed at the door: what cannot be read is an error, never a default that permits something.
import { diverged, lsnDistance, lsnNumber } from "../../plan/divergence";
import { parseFacts, parseSiteFacts, type SiteFacts } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { observe } from "./world";
import { scripts, wish } from "./wish";
import { atRest } from "./worlds";

const facts = (lines: string) => parseSiteFacts(`role=standby\n${lines}`);

test("a site's facts become roles, numbers and records", () => {
  const seen = parseSiteFacts(
    [
      "role=primary",
      "signal=no",
      "timeline=3",
      "lag_bytes=120",
      "promoted=8_3",
      "record_epoch=8",
      "record_from=a",
      "record_to=b",
      "record_kind=switchover",
      "set.max_connections=100",
      "service.web-1=running",
      "service.jobs=stopped",
      "missing=-",
      "obeyed=7",
      "a line that is no fact",
    ].join("\n"),
  );
  expect(seen).toMatchObject({
    reach: "up",
    role: "primary",
    signal: false,
    timeline: 3,
    lagBytes: 120,
    promoted: 8,
    record: { epoch: 8, from: "a", to: "b", kind: "switchover" },
    settings: { max_connections: "100" },
    services: { "web-1": "running", jobs: "stopped" },
    missing: [],
    obeyed: 7,
    settled: 0,
  });
});

test.each([
  ["promoted=maybe", /promoted: not an epoch/],
  ["timeline=two", /timeline: not a number: two/],
  ["record_kind=flip", /record_kind: not one of initial/],
  ["record_to=c", /record_to: not one of a, b: c/],
  ["record_epoch=3\nrecord_from=a\nrecord_to=a\nrecord_kind=resume", /record/],
  ["record_epoch=3", /record/],
  ["settled=x", /settled/],
  ["signal=perhaps", /signal/],
  ["role=king", /role/],
])("%s is an error", (line, message) => {
  expect(() => facts(line)).toThrow(message);
});

test("a site that says nothing has no role, which is an error and not a guess", () => {
  expect(() => parseSiteFacts("")).toThrow(/role/);
});

test("lines of another shape are no facts; a value may hold =", () => {
  expect(parseFacts("x=1=2\nX=3\n=4\nwarning: y=5\n  z=6  ")).toEqual({ x: "1=2", z: "6" });
});

describe("divergence", () => {
  const primary = parseSiteFacts("role=primary\ntimeline=3\nfork=1:0/2000,2:0/5000");

  test("positions compare as 64-bit numbers", () => {
    expect(lsnNumber("1/0")).toBe(4294967296n);
    expect(lsnDistance("0/FFFFFFFF", "1/1")).toBe(2);
    expect(lsnNumber("nonsense")).toBeUndefined();
    expect(lsnDistance("-", "0/1")).toBeUndefined();
  });

  test.each([
    [
      "past the fork of its timeline",
      "timeline=2\nlsn=0/5010",
      /16 bytes of WAL on timeline 2 past 0\/5000/,
    ],
    ["past an older fork", "timeline=1\nlsn=0/2008", /8 bytes of WAL on timeline 1/],
    ["at the fork", "timeline=2\nlsn=0/5000", undefined],
    ["before it", "timeline=2\nlsn=0/4000", undefined],
    ["on the primary's own timeline", "timeline=3\nlsn=0/9000", undefined],
    ["of a timeline the primary never had", "timeline=1\nlsn=-", undefined],
    ["streaming where the primary is", "timeline=3\nlsn=0/9000\nstreaming=yes", undefined],
    [
      "streaming the old timeline up to the fork",
      "timeline=2\nlsn=0/2000\nstreaming=yes",
      undefined,
    ],
    [
      "past the fork, in the moment in which the old timeline is sent to it again",
      "timeline=2\nlsn=0/9000\nstreaming=yes",
      /^it holds \d+ bytes of WAL on timeline 2 past/,
    ],
  ])("%s", (_, lines, expected) => {
    const found = diverged(facts(lines), primary);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });
});

describe("what stops a switchover before anything is touched", () => {
  const seen = observe(atRest("a"));
  const codes = (site: "a" | "b", more: object): readonly string[] => {
    const sites = { ...seen.sites, [site]: { ...seen.sites[site], ...more } };
    const made = plan(wish({ activeSite: "b" }), { ...seen, sites }, scripts);
    for (const { hint } of made.refusals) expect(hint.length).toBeGreaterThan(10);
    return made.refusals.map(({ code }) => code);
  };

  test("nothing, when all is well", () => expect(codes("a", {})).toEqual([]));

  test.each<["a" | "b", object, string]>([
    ["b", { systemIdentifier: "8" }, "system-identifier"],
    ["b", { version: 16, programs: 16 }, "versions"],
    ["b", { programs: 14 }, "versions"],
    ["b", { clock: 200_000 }, "clocks"],
    ["b", { role: "unclear" }, "not-a-standby"],
    ["b", { role: "absent" }, "empty-site"],
    ["b", { paused: true }, "paused"],
    ["b", { applyDelay: "5min" }, "apply-delay"],
    ["a", { lagBytes: 1e9 }, "lag"],
    ["a", { foreignSenders: 1 }, "foreign-walsender"],
    ["a", { asyncOverrides: 1 }, "synchronous-commit"],
    ["a", { settings: { synchronous_commit: "off" } }, "synchronous-commit"],
    ["b", { missing: ["flock"] }, "prerequisites"],
    ["b", { leftovers: ["recovery_target_time"] }, "leftovers"],
  ])("%s %j: %s", (site, more, code) => {
    expect(codes(site, more)).toContain(code);
  });

  test("an empty site without programs of its peer's major is refused before the first copy", () => {
    const empty = (majors: readonly string[]): object => {
      const { ground } = seen.sites.b as SiteFacts;
      return { version: undefined, role: "absent", programs: 17, ground: { ...ground, majors } };
    };
    const texts = (majors: readonly string[]) => {
      const sites = { ...seen.sites, b: { ...seen.sites.b, ...empty(majors) } };
      const made = plan(wish({ activeSite: "a" }), { ...seen, sites }, scripts);
      return made.refusals.map(({ what }) => what);
    };
    expect(texts(["15", "17"])).toEqual([]);
    expect(texts(["17"])).toEqual(["site b has the programs of PostgreSQL 17, site a runs 15"]);
  });

  test("what is broken at a lost site does not stop the failover from it", () => {
    const broken = { role: "down", missing: ["pg_ctl"], leftovers: ["recovery_target"] };
    expect(codes("a", broken)).toEqual([]);
  });

  test("a paused replay names the settings to raise first", () => {
    const a = { ...seen.sites.a, settings: { max_connections: "200" } };
    const b = { ...seen.sites.b, paused: true, settings: { max_connections: "100" } };
    const made = plan(wish({ activeSite: "b" }), { ...seen, sites: { a, b } }, scripts);
    const paused = made.refusals.find(({ code }) => code === "paused");
    expect(paused?.hint).toContain("raise max_connections at site b");
  });
});
