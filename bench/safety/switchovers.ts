import { measure, refusalOf } from "../../lab/flip";
import { Tour } from "../../lab/tour";
import type { SiteId } from "../../plan/terms";

/** Switchovers in a row, both directions, under load. */
export interface SwitchoverReport {
  readonly n: number;
  /** Acknowledged writes that are on no site afterwards. Must be 0. */
  readonly lost: number;
  /** Updates of a healthy pair that were refused or failed. Must be 0. */
  readonly falseRefusals: number;
}

/** n flips by the product through the engine, there and back. */
export async function switchovers(n: number): Promise<SwitchoverReport> {
  const tour = await Tour.open();
  try {
    const first = await tour.update({ activeSite: "a" });
    if (first.exitCode !== 0) throw new Error(refusalOf(first));
    let [lost, falseRefusals] = [0, 0];
    let to: SiteId = "b";
    for (let round = 0; round < n; round += 1) {
      const { result, measured } = await measure(tour, { activeSite: to });
      lost += measured?.lost ?? 0;
      if (measured === undefined) {
        falseRefusals += 1;
        process.stdout.write(`switchover ${round + 1}/${n} to ${to}: ${refusalOf(result)}\n`);
      } else {
        process.stdout.write(`switchover ${round + 1}/${n} to ${to}: ${measured.lost} lost\n`);
        to = to === "a" ? "b" : "a";
      }
    }
    return { n, lost, falseRefusals };
  } finally {
    await tour.close();
  }
}
