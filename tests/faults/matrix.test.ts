// The matrix as a list: what it covers, and that no deliberate breakage has lost the passage that it breaks.
import { PHASES } from "../../plan/terms";
import { loadScripts } from "../../sites/scripts";
import { CELLS } from "./cells";
import { CHOSEN } from "./chosen";
import { CONTROLS } from "./controls";
import { cutOffCells } from "./cutOff";
import { ENGINE_CELLS } from "./engineCells";
import { HOST_CELLS, HOST_CONTROLS } from "./hostCells";

const ids = [...CELLS, ...cutOffCells, ...CONTROLS, ...ENGINE_CELLS].map(({ id }) => id);

test("every cell has an id of its own", () => {
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});

test("an ordinary run has at least 120 cells, and every boundary among them", () => {
  expect(CHOSEN.length).toBeGreaterThanOrEqual(120);
  const rows = new Set(CHOSEN.map((id) => id.split("/")[1]));
  expect(PHASES.filter((phase) => !rows.has(phase))).toEqual([]);
});

test("what runs on hosts is known, at least 30 cells and a breakage", () => {
  expect(HOST_CELLS.filter((id) => !ids.includes(id))).toEqual([]);
  expect(HOST_CELLS.filter((id, index) => HOST_CELLS.indexOf(id) !== index)).toEqual([]);
  expect(HOST_CELLS.length).toBeGreaterThanOrEqual(30);
  expect(CONTROLS.map(({ id }) => id)).toEqual(expect.arrayContaining([...HOST_CONTROLS]));
});

test("ten breakages, each judged by a violation of its own", () => {
  expect(CONTROLS.map(({ id }) => id)).toHaveLength(10);
  expect(CONTROLS.filter(({ caughtBy }) => caughtBy === undefined)).toEqual([]);
});

test.each(CONTROLS.map((control) => [control.id, control] as const))(
  "%s still finds what it breaks",
  (_, { scripts }) => {
    const whole = loadScripts();
    const broken = scripts?.(whole) ?? {};
    const differs = Object.entries(broken).some(([name, text]) => whole[name] !== text);
    expect(scripts === undefined || differs).toBe(true);
  },
);
