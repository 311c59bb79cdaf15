import { refusalOf } from "../../lab/flip";
import type { Tour } from "../../lab/tour";
import type { SiteId } from "../../plan/terms";
import { changes, planOf, writableSites } from "../engine/pair";
import { serving, type EngineCell } from "./engineCells";
import { collect } from "./evidence";
import { violations } from "./invariants";
import { Load } from "./load";
import type { CellResult } from "./runCell";

/** Rounds of clients over one ledger keep apart by the writers' numbers. */
const WRITERS_A_CELL = 1000;
const MOST_UPDATES = 3;

/** Flips the pair through a whole program while something strikes it; judged by the same evidence as every cell. Never rejects. */
export async function runEngineCell(
  tour: Tour,
  cell: EngineCell,
  round: number,
): Promise<CellResult> {
  const began = Date.now();
  const red: string[] = [];
  const story: string[] = [];
  let updates = 0;
  let load: Load | undefined;
  try {
    const place = serving(await writableSites(tour));
    if (place === undefined) throw new Error("no site serves alone before the cell");
    load = await Load.start(tour.lab, 1 + WRITERS_A_CELL * round);
    const before = await collect(tour.lab);
    await tour.engine.setConfig("activeSite", place.to);
    const wrong = (what: string) => red.push(what);
    const goal = await cell.strike({ tour, ...place, tell: (what) => story.push(what), wrong });
    updates = 1 + (await toTheEnd(tour, red, story));
    await load.more(20);
    red.push(...(await oneMore(tour)));
    await load.stop();
    const after = await collect(tour.lab);
    const rest = { standbyWaits: false, servicesNamed: false, lossAccepted: false };
    const ending = { goal, before, after, changesBefore: before.changes, ...rest };
    red.push(...(await violations(tour.lab, load, ending)), ...(await leftOver(tour, goal)));
  } catch (error) {
    red.push(error instanceof Error ? error.message : String(error));
  } finally {
    await load?.stop();
  }
  const seconds = (Date.now() - began) / 1000;
  return { id: cell.id, verdict: "C", red, seconds, updates, story: story.join("; ") };
}

/** Updates until one ends well; how many it took. */
async function toTheEnd(tour: Tour, red: string[], story: string[]): Promise<number> {
  for (let count = 1; count <= MOST_UPDATES; count += 1) {
    const result = await tour.update({});
    if (result.exitCode === 0) {
      const { transition, epoch } = planOf(result);
      story.push(`${transition} ${epoch}: 0`);
      return count;
    }
    story.push(`ended with ${result.exitCode}`);
    if (count === MOST_UPDATES) red.push(`I5: no end after ${count} updates: ${refusalOf(result)}`);
  }
  return MOST_UPDATES;
}

/** I5: one more update changes nothing. */
async function oneMore(tour: Tour): Promise<readonly string[]> {
  const third = await tour.update({});
  if (third.exitCode !== 0) return [`I5: one more update ended with ${third.exitCode}`];
  return changes(third) === 0 ? [] : [`I5: one more update changed ${changes(third)} resources`];
}

/** I8 of the stack itself, and that visitors are led to the site that serves. */
async function leftOver(tour: Tour, goal: SiteId): Promise<readonly string[]> {
  const state = await tour.engine.exportStack();
  const pending = state.deployment.pending_operations?.length ?? 0;
  const visited = await tour.visit();
  return [
    ...(pending === 0 ? [] : [`I8: ${pending} pending operations are left`]),
    ...(visited === goal ? [] : [`I4: a visitor is answered by ${visited}, not by ${goal}`]),
  ];
}
