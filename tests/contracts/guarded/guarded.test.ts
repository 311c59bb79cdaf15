// A program that throws, hangs or ends in the middle never deletes what an earlier one made. Needs the build: `npm test` makes it first.
import * as path from "node:path";
import type { Engine, RunResult } from "../../../lab/engine/engine";
import { bench, describeOn, type Bench } from "../engine/workbench";

jest.setTimeout(120_000);
const ROOT = path.resolve(__dirname, "../../..");
const FOLDER = path.join(ROOT, "tests/fixtures/guarded");
const COMPONENTS = { GUARDED_COMPONENTS: path.join(ROOT, "dist/components") };
const WHERE = ["before", "between", "after"] as const;

/** What a person is told: each entry is the text for before, between and after the children. */
const TEXT: Readonly<Record<string, readonly [RegExp, RegExp, RegExp]>> = {
  throw: [/refused before/, /refused between/, /refused after/],
  hang: [
    /no answer within 1 s/,
    /pair shop: the program fell silent/,
    /program fell silent before its end/,
  ],
  exit: [
    /pair shop: the program ended itself/,
    /pair shop: .*ended itself/,
    /program ended itself/,
  ],
  logError: [/logged before, not thrown/, /logged between, not/, /logged after, not thrown/],
  throwInApply: [/in apply before/, /in apply between/, /in apply after/],
};

const told = ({ diagnostics }: RunResult): readonly string[] =>
  diagnostics
    .filter((one) => one.severity === "error" || one.severity === "info#err")
    .map((one) => one.message.trim())
    .filter((text) => text !== "update failed" && text !== "");

for (const kind of ["lab", "pulumi"] as const) {
  describeOn(kind, "guarded", () => {
    let place: Bench;
    let engine: Engine;
    beforeAll(async () => {
      place = bench({ folder: FOLDER });
      engine = await place.open(COMPONENTS, kind);
      expect((await engine.up()).summary).toMatchObject({ create: 5 });
    });
    afterAll(() => place.remove());
    const urns = async () =>
      ((await engine.exportStack()).deployment.resources ?? []).map((one) => one.urn).sort();

    for (const [how, texts] of Object.entries(TEXT)) {
      WHERE.forEach((where, index) => {
        test(`${how} ${where} the children: nothing is deleted, and one block says why`, async () => {
          const before = await urns();
          await engine.setConfig("how", how);
          await engine.setConfig("where", where);
          const result = await engine.up();
          expect(result.summary.delete ?? 0).toBe(0);
          expect(result.exitCode).not.toBe(0);
          expect(await urns()).toEqual(before);
          const text = told(result).join("\n");
          expect(text).toMatch(texts[index] ?? /nothing/);
          expect(text).not.toMatch(/^ +at /m);
        });
      });
    }

    test("when the program is mended the next update changes nothing", async () => {
      await engine.removeConfig("how");
      await engine.removeConfig("where");
      const result = await engine.up();
      expect(result.exitCode).toBe(0);
      expect(result.summary).toEqual({ same: 5 });
    });
  });
}
