import { Tour } from "../../lab/tour";
import { up } from "../engine/pair";
import { CELLS } from "./cells";
import { CONTROLS } from "./controls";
import { cutOffCells } from "./cutOff";
import { ENGINE_CELLS } from "./engineCells";
import { Lane } from "./lane";
import { MODEL_ID, runModel } from "./runModel";
import { runCell, type CellResult } from "./runCell";
import { runEngineCell } from "./runEngineCell";

/** Where cells run: a pair without an engine, a pair under one, or none at all. One stands at a time, and serves many cells. */
export class Places {
  #lane: Lane | undefined;
  #tour: Tour | undefined;
  #round = 0;

  /** @param hosts whether a pair without an engine stands on hosts of its own */
  constructor(private readonly hosts: boolean) {}

  /** Runs the cell at its place; `begun` is called once that stands. */
  async run(id: string, seed: number, begun: () => void): Promise<CellResult> {
    if (id === MODEL_ID) {
      begun();
      return runModel(seed);
    }
    const whole = ENGINE_CELLS.find((cell) => cell.id === id);
    if (whole !== undefined) {
      const tour = await this.#openTour();
      begun();
      this.#round += 1;
      const result = await runEngineCell(tour, whole, this.#round);
      // What a red cell leaves behind is nobody else's business.
      if (result.red.length > 0) await this.close();
      return result;
    }
    const cell = [...CELLS, ...CONTROLS, ...cutOffCells].find((one) => one.id === id);
    if (cell === undefined) throw new Error(`no cell ${id}`);
    const lane = await this.#openLane();
    begun();
    return runCell(lane, cell, seed);
  }

  async close(): Promise<void> {
    await this.#lane?.close();
    await this.#tour?.close();
    this.#lane = undefined;
    this.#tour = undefined;
  }

  async #openLane(): Promise<Lane> {
    if (this.#lane === undefined) {
      await this.close();
      this.#lane = await Lane.open({ hosts: this.hosts });
    }
    return this.#lane;
  }

  async #openTour(): Promise<Tour> {
    if (this.#tour === undefined) {
      await this.close();
      this.#tour = await Tour.open();
      await up(this.#tour, { activeSite: "a" });
    }
    return this.#tour;
  }
}
