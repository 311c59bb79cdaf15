/** `standby delta` on two real sites, reached by the text of a preview. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyDelta, showDelta } from "../../cli/delta";
import { sitesOf } from "../../cli/siteAccess";
import { cutOff, loseA } from "../../lab/lostPrimary";
import { Pair, type SiteId } from "../../lab/pair";

jest.setTimeout(120_000);

let pair: Pair;
let preview: string;
const said: string[] = [];
const say = (line: string) => said.push(line);

/** What `pulumi preview --json` holds of two steps: how a site is entered, and what it was told. */
function previewOf(): string {
  const text = (id: SiteId) =>
    [
      ...(["a", "b"] as const).map((one) => `enter_${one}() {\nsh -c "$1"\n}`),
      `main() {\npart ${id} postgres_check 20 <<'STANDBY_INPUT'`,
      ...Object.entries(pair.settings(id)).map(([key, value]) => `${key}=${value}`),
      "value=promote\nSTANDBY_INPUT\nreturn 0\n}\n",
    ].join("\n");
  const steps = (["a", "b"] as const).map((id) => ({ newState: { inputs: { stdin: text(id) } } }));
  return JSON.stringify({ steps: [{ op: "same" }, ...steps] });
}

beforeAll(async () => {
  pair = await Pair.streaming();
  preview = join(pair.folder, "preview.json");
  writeFileSync(preview, previewOf());
  await pair.a.query("create table t(id int primary key, v text)");
});
afterAll(() => pair.close());
beforeEach(() => {
  said.length = 0;
});

test("a preview says how each site is reached, and what belongs to a step is left out", () => {
  const sites = sitesOf(readFileSync(preview, "utf8"));
  expect(sites.b.settings).toMatchObject({ name: "shop", site: "b", peer: "a" });
  expect(sites.b.settings["value"]).toBeUndefined();
  expect(() => sitesOf(readFileSync(preview, "utf8"), "other")).toThrow(/HINT: make a new one/);
});

test("without a delta there is nothing to show, and the hint says what makes one", async () => {
  expect(await showDelta({ preview }, say)).toBe(75);
  expect(said.join("\n")).toMatch(/no site holds a delta\nHINT: pulumi up/);
});

test("shown, tried, applied; the old primary is only read", async () => {
  await cutOff(pair);
  await pair.a.query("insert into t values (1, 'only at a')");
  const lines = await loseA(pair);
  await pair.holds("a", "delta", { value: "export", ...lines });
  expect(await showDelta({ preview }, say)).toBe(0);
  expect(said.join("\n")).toMatch(/rows=1\ninserts=1[\s\S]*"table" : "public.t"/);

  const rows = () => pair.b.query("select id from t");
  expect(await applyDelta({ preview, onConflict: "skip" }, say)).toBe(0);
  expect([said.at(-2), await rows()]).toEqual([expect.stringMatching(/dry run.* inserted 1/), []]);
  expect(await applyDelta({ preview, onConflict: "skip", yes: true }, say)).toBe(0);
  expect(await rows()).toEqual([{ id: 1 }]);
  expect(await applyDelta({ preview, onConflict: "skip", yes: true }, say)).toBe(0);
  expect([said.at(-1), await rows()]).toEqual([expect.stringMatching(/inserted 0/), [{ id: 1 }]]);
  expect(await applyDelta({ preview, onConflict: "both", yes: true }, say)).toBe(1);
});
