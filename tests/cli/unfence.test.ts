/** `standby unfence` on two real sites, reached by what the state of a stack says. */
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { unfence } from "../../cli/unfence";
import { Pair, type SiteId } from "../../lab/pair";

jest.setTimeout(120_000);

let pair: Pair;
let state: string;
const said: string[] = [];
const say = (line: string) => said.push(line);
const text = () => said.join("\n");
const never = () => Promise.reject(new Error("nobody should be asked"));
const typed = (answer: string) => () => Promise.resolve(answer);

const ENTER = `test -d "$work" && test "$uid" -ge 0 || return 255
sh -c "printf 'Welcome'; $1"`;
function stateOf(enters: Readonly<Record<SiteId, string>> = { a: ENTER, b: ENTER }): string {
  const block = (id: SiteId) =>
    [
      ...(["a", "b"] as const).map((one) => `enter_${one}() {\n${enters[one]}\n}`),
      `main() {\npart ${id} postgres_rejoin 20 <<'STANDBY_INPUT'`,
      ...Object.entries(pair.settings(id)).map(([key, value]) => `${key}=${value}`),
      "STANDBY_INPUT\nreturn 0\n}\n",
    ].join("\n");
  const resources = (["a", "b"] as const).map((id) => ({ inputs: { stdin: block(id) } }));
  return JSON.stringify({ version: 3, deployment: { resources } });
}
const log = () => {
  try {
    return readFileSync(join(pair.a.stateDirectory, "log/unfence"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
};
const close = async () => {
  writeFileSync(join(pair.a.dataDirectory, "standby.signal"), "");
  await pair.a.stop();
};

beforeAll(async () => {
  pair = await Pair.streaming();
  state = join(pair.folder, "state.json");
});
beforeEach(() => {
  said.length = 0;
  writeFileSync(state, stateOf());
});
afterAll(() => pair.close());

test("the other site serves: refused, nobody is asked, and the hint moves the primary", async () => {
  expect(await unfence({ site: "b", state }, say, never)).toBe(77);
  expect(text()).toMatch(/site a: primary, timeline 1[\s\S]*site b: standby/);
  expect(text()).toMatch(/refused: site a accepts writes[\s\S]*activeSite b/);
  expect(await pair.writers()).toBe(1);
});

test("a site that serves already is left alone", async () => {
  expect(await unfence({ site: "a", state }, say, never)).toBe(0);
  expect(text()).toContain("site a takes writes already");
});

test("no site of that name", async () => {
  expect(await unfence({ site: "c", state }, say, never)).toBe(1);
});

test.each(["", "yes", "I-am-sure", "I-am-sure other"])(
  "typed '%s': nothing is touched",
  async (answer) => {
    await close();
    expect(await unfence({ site: "a", state }, say, typed(answer))).toBe(77);
    expect([await pair.writers(), log()]).toEqual([0, []]);
    expect(text()).toContain('HINT: type "I-am-sure shop"');
  },
);

test("confirmed, the site serves, and who did it is written down", async () => {
  await close();
  expect(await unfence({ site: "a", state }, say, typed("I-am-sure shop\n"))).toBe(0);
  expect((await pair.observe("a"))["role"]).toBe("primary");
  expect(log()).toEqual([
    expect.stringMatching(
      new RegExp(`^20.*Z? unfence by \\S+@${hostname()}, entered as \\S+ from .*, record epoch=1 `),
    ),
  ]);
});

test("the other site was not reached: that is named, and the word is the person's", async () => {
  await close();
  writeFileSync(state, stateOf({ a: ENTER, b: "echo 'ssh: no route to host' >&2; return 255" }));
  expect(await unfence({ site: "a", state, confirm: "I-am-sure shop" }, say, never)).toBe(0);
  expect(text()).toMatch(
    /site b: not reached \(255\)[\s\S]*no route to host[\s\S]*Danger: site b was not reached/,
  );
  expect(log()).toHaveLength(2);
});

test("a site that was not reached itself is not started", async () => {
  writeFileSync(state, stateOf({ a: "return 255", b: ENTER }));
  expect(await unfence({ site: "a", state, confirm: "I-am-sure shop" }, say, never)).toBe(75);
});
