// A flip is a large change by nature, so nothing is measured by size: 500 previews as planned are accepted, and the same
// with one change that nobody planned are refused, every one.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { judge, type Judgement } from "../../plan/dns/judge";
import { parsePreview } from "../../plan/dns/previewJson";
import { comment } from "../../plan/render/comment";
import { ROOT } from "../house/tree";
import { previewOf, type Preview } from "./previews";
import { INTENTS, mixed, MUTATIONS, sceneOf } from "./strays";

const RUNS = 500;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
// What `npm run bench -- dns` reports.
const figures = { n: RUNS, refused: 0, falseRefusals: 0 };
afterAll(() => {
  const file = process.env.STRAYS_JSON;
  if (file !== undefined) writeFileSync(file, JSON.stringify(figures));
});

const judged = (preview: Preview): Judgement => judge(parsePreview(JSON.stringify(preview)));
const scene = fc
  .constantFrom(...INTENTS)
  .chain((intent) => fc.record({ intent: fc.constant(intent), scene: sceneOf(intent) }));

test(`${RUNS} previews of all four intents, as planned: none is refused (SEED=${seed})`, () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(scene, ({ intent, scene: one }) => {
      const { strays, plans } = judged(previewOf(one));
      figures.falseRefusals += strays.length > 0 ? 1 : 0;
      expect(strays).toEqual([]);
      expect(plans[0]?.dns.intent).toBe(intent);
      met.add(intent);
    }),
    { seed, numRuns: RUNS },
  );
  expect([...met].sort()).toEqual([...INTENTS].sort());
});

test(`${RUNS} previews with one stray change: every one is refused (SEED=${seed})`, () => {
  const met = new Set<string>();
  const names = Object.keys(MUTATIONS);
  const mutated = fc.record({ of: scene, name: fc.constantFrom(...names), pick: fc.nat() });
  fc.assert(
    fc.property(mutated, ({ of, name, pick }) => {
      const preview = previewOf(of.scene);
      fc.pre(MUTATIONS[name]?.(preview, of.scene, pick) === true);
      const judgement = judged(preview);
      if (judgement.strays.length === 0) throw new Error(`${of.intent}: ${name} was accepted`);
      expect(comment({ judgement, runbooks: [] }).refused).toBe(true);
      met.add(name);
      figures.refused += 1;
    }),
    { seed, numRuns: RUNS },
  );
  expect(figures.refused).toBe(RUNS);
  expect([...met].sort()).toEqual(names.sort());
});

test(`an edit together with a flip is refused (SEED=${seed})`, () => {
  fc.assert(
    fc.property(scene, ({ intent, scene: one }) => {
      const preview = previewOf(one);
      fc.pre(mixed(preview, one, intent));
      expect(judged(preview).strays).toHaveLength(1);
    }),
    { seed, numRuns: 100 },
  );
});

// The real CLI's own previews, of a program without a plan: nothing in them may pass for a planned DNS change.
const folder = path.join(ROOT, "tests", "fixtures", "engine");
const recorded = readdirSync(folder).filter((name) => /^\d\d-/.test(name));
test.each(recorded)("without a told plan no DNS change of %s is approved", (name) => {
  const preview = parsePreview(readFileSync(path.join(folder, name, "preview.json"), "utf8"));
  const { rows, strays, plans } = judge(preview);
  expect(plans).toEqual([]);
  expect(strays.length).toBeGreaterThanOrEqual(rows.length);
});

test("the command: 77 for a stray, also under --force; 0 for a plan; the same text on standard output", () => {
  const main = path.join(ROOT, "dist", "cli", "main.js");
  const run = (preview: Preview, ...flags: string[]) =>
    spawnSync(process.execPath, [main, "comment", ...flags], {
      input: JSON.stringify(preview),
      encoding: "utf8",
    });
  const [flip] = fc.sample(sceneOf("flip"), { seed: 7, numRuns: 1 });
  if (flip === undefined) throw new Error("no scene");
  const good = run(previewOf(flip));
  expect({ status: good.status, stderr: good.stderr }).toEqual({ status: 0, stderr: "" });
  expect(good.stdout).toMatch(/^## Standby plan: shop\n/);
  const preview = previewOf(flip);
  MUTATIONS["a new record"]?.(preview, flip, 0);
  for (const flags of [[], ["--force"]]) {
    const bad = run(preview, ...flags);
    expect(bad.status).toBe(77);
    expect(bad.stdout).toContain("REFUSED, 1 unexpected change");
  }
  expect(run({ steps: [] } as unknown as Preview).stdout).toContain("No DNS change");
});
