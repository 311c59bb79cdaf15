// The runbook of a preview, run by hand, file by file: the flip happens, and the next update finds nothing to do at the sites.
import { join } from "node:path";
import { planOf, readPreview } from "../../cli/previewFile";
import { writeRunbook } from "../../cli/runbook";
import { status } from "../../cli/status";
import { Tour } from "../../lab/tour";
import { runFiles } from "./byHand";
import { planOf as toldBy, up, writableSites } from "./pair";

jest.setTimeout(240_000);
let tour: Tour;
const said: string[] = [];
const talk = { say: (text: string) => void said.push(text), complain: () => undefined };
beforeAll(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

test("a switchover by hand", async () => {
  await tour.engine.setConfig("activeSite", "b");
  const { digest } = await tour.engine.preview();
  const file = readPreview(JSON.stringify(digest));
  const plan = planOf(file, undefined);
  status(plan, talk);
  expect(said.join("\n")).toMatch(/site a: primary, at .*\n.*site b: standby/);
  const folder = join(tour.lab.dir, "runbook");
  writeRunbook(file, plan, folder, talk);
  const ended = await runFiles(tour, folder);
  expect(ended.map(({ name }) => name.slice(3, -3))).toEqual(
    Object.keys(plan.states).filter((id) => plan.states[id] === "todo"),
  );
  for (const one of ended) expect(one).toMatchObject({ name: one.name, code: 0 });
  expect(await writableSites(tour)).toEqual(["b"]);
  expect(await tour.visit()).toBe("b");
  expect(toldBy(await up(tour, {})).transition).toBe("none");
});

test("a refused preview gives no runbook but the refusal", () => {
  const refused = {
    steps: [],
    diagnostics: [{ severity: "error", message: "error: refused: why" }],
  };
  expect(() => readPreview(JSON.stringify(refused))).toThrow(/refused: why\nHINT: /);
  expect(() => readPreview("no json")).toThrow("pulumi preview --json");
});
