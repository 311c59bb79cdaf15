/** `standby delta` on two real sites, reached by what the state of a stack says. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyDelta, showDelta } from "../../cli/delta";
import { sitesOf } from "../../cli/siteAccess";
import { cutOff, loseA } from "../../lab/lostPrimary";
import { Pair, type SiteId } from "../../lab/pair";

jest.setTimeout(120_000);

let pair: Pair;
let state: string;
const said: string[] = [];
const say = (line: string) => said.push(line);

// As the text of ssh does: it needs a folder of this run's own and the user's number, and the login shell prints.
const ENTER = `test -d "$work" && test "$work" != / && test "$uid" -ge 0 || return 255
: >"$work/known-x"
sh -c "printf 'Welcome'; $1"`;

/** What `pulumi stack export` holds of two steps: how a site is entered, and what it was told. */
function stateOf(enters: Readonly<Record<SiteId, string>> = { a: ENTER, b: ENTER }): string {
  const text = (id: SiteId) =>
    [
      ...(["a", "b"] as const).map((one) => `enter_${one}() {\n${enters[one]}\n}`),
      `main() {\npart ${id} postgres_rejoin 20 <<'STANDBY_INPUT'`,
      ...Object.entries(pair.settings(id)).map(([key, value]) => `${key}=${value}`),
      "value=promote\ndiscard_delta=3\naccept_loss=3\nSTANDBY_INPUT\nreturn 0\n}\n",
    ].join("\n");
  const resources = (["a", "b"] as const).map((id) => ({ inputs: { stdin: text(id) } }));
  return JSON.stringify({ version: 3, deployment: { resources: [{}, ...resources] } });
}

beforeAll(async () => {
  pair = await Pair.streaming();
  state = join(pair.folder, "state.json");
  writeFileSync(state, stateOf());
  await pair.a.query("create table t(id int primary key, v text)");
});
afterAll(() => pair.close());
beforeEach(() => {
  said.length = 0;
});

test("a state says how each site is reached, and what belongs to a step is left out", () => {
  const sites = sitesOf(readFileSync(state, "utf8"));
  expect(sites.b.settings).toMatchObject({ name: "shop", site: "b", peer: "a" });
  for (const key of ["value", "discard_delta", "accept_loss", "step_bound"]) {
    expect(sites.b.settings[key]).toBeUndefined();
  }
  expect(() => sitesOf(readFileSync(state, "utf8"), "other")).toThrow(/HINT: make a new one/);
});

test("without a delta there is nothing to show, and the hint says what makes one", async () => {
  expect(await showDelta({ state }, say)).toBe(75);
  expect(said.join("\n")).toMatch(/no site holds a delta\nHINT: pulumi up/);
});

test.each(["a", "b"] as const)(
  "site %s cannot be asked: that is said, and is not none",
  async (cut) => {
    const enters = { a: ENTER, b: ENTER, [cut]: "echo 'ssh: no route to host' >&2; return 255" };
    writeFileSync(state, stateOf(enters));
    expect(await showDelta({ state }, say)).toBe(75);
    expect(await applyDelta({ state, onConflict: "skip" }, say)).toBe(75);
    writeFileSync(state, stateOf());
    const text = said.join("\n");
    expect(text).toMatch(`site ${cut}: cannot be asked (255)\nssh: no route to host`);
    expect(text).toContain(`whether site ${cut} holds a delta is not known\nHINT: `);
    expect(text).not.toContain("no site holds a delta");
  },
);

test("shown, tried, applied; the old primary is only read", async () => {
  await cutOff(pair);
  await pair.a.query("insert into t values (1, 'only at a')");
  const lines = await loseA(pair);
  await pair.holds("a", "delta", { value: "export", ...lines });
  expect(await showDelta({ state }, say)).toBe(0);
  expect(said.join("\n")).toMatch(/rows=1\ninserts=1[\s\S]*"table" : "public.t"/);

  const rows = () => pair.b.query("select id from t");
  expect(await applyDelta({ state, onConflict: "skip" }, say)).toBe(0);
  expect(readdirSync("/")).not.toContain("known-x");
  expect([said.at(-2), await rows()]).toEqual([expect.stringMatching(/dry run.* inserted 1/), []]);
  expect(await applyDelta({ state, onConflict: "skip", yes: true }, say)).toBe(0);
  expect(await rows()).toEqual([{ id: 1 }]);
  expect(await applyDelta({ state, onConflict: "skip", yes: true }, say)).toBe(0);
  expect([said.at(-1), await rows()]).toEqual([expect.stringMatching(/inserted 0/), [{ id: 1 }]]);
  expect(await applyDelta({ state, onConflict: "both", yes: true }, say)).toBe(1);
});
