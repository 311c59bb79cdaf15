import { measure, refusalOf } from "../../lab/flip";
import { freezeSenders } from "../../lab/lostPrimary";
import { Tour } from "../../lab/tour";
import { otherSite, type SiteId } from "../../plan/terms";

/** Failovers from a site whose host answers and whose PostgreSQL is gone. Nothing is accepted in any of them. */
export interface DrainedReport {
  readonly n: number;
  /** Acknowledged writes that are on no serving site afterwards. Must be 0. */
  readonly lost: number;
}

/** n failovers under load: the walsender is frozen for half a second, then the whole server is killed. */
export async function drained(n: number): Promise<DrainedReport> {
  const tour = await Tour.open();
  try {
    const first = await tour.update({ activeSite: "a" });
    if (first.exitCode !== 0) throw new Error(refusalOf(first));
    let lost = 0;
    let from: SiteId = "a";
    for (let round = 0; round < n; round += 1) {
      const to = otherSite(from);
      const { result, measured } = await measure(
        tour,
        { activeSite: to },
        { before: () => losePostgres(tour, from) },
      );
      if (measured === undefined) throw new Error(refusalOf(result));
      lost += measured.lost;
      process.stdout.write(
        `drained ${round + 1}/${n}: ${measured.acked} acknowledged, ${measured.lost} lost\n`,
      );
      from = to;
    }
    return { n, lost };
  } finally {
    await tour.close();
  }
}

async function losePostgres(tour: Tour, site: SiteId): Promise<void> {
  const { cluster } = tour.lab.sites[site];
  freezeSenders(cluster);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await cluster.kill();
}
