import type { PhaseId, SiteId } from "../../plan/terms";
import type { Cell, Scene, Verdict } from "./cell";
import { beforeRow, comeBack, cutLinks, mendLinks } from "./strikes";

/**
 * Faults that only hosts of their own can have: a host's whole network is gone while it lives on, guard and all; or both
 * hosts lose power in one moment and boot side by side.
 */

/** From now on it reaches nobody, and nobody reaches it. */
async function isolate({ lane }: Scene, site: SiteId): Promise<undefined> {
  const { isolate: act } = lane.lab.sites[site];
  if (act === undefined) throw new Error(`site ${site} has no network of its own to be cut from`);
  await act.call(lane.lab.sites[site]);
}

const mended =
  (site: SiteId): NonNullable<Cell["heal"]> =>
  async ({ lane }) => {
    await lane.lab.sites[site].mend();
  };

const cutOff = (row: PhaseId, site: SiteId, expect: Verdict): Cell => ({
  ...{ id: `switchover/${row}/${site}-cut-off`, transition: "switchover", row },
  ...{ fault: `${site} cut off`, expect: [expect], lives: true },
  hooks: beforeRow(row, (scene) => isolate(scene, site)),
  heal: mended(site),
});

/** Its guard ends it while the other site takes over; it comes back without a boot. */
const alive = (fault: string, arrange: NonNullable<Cell["arrange"]>): Cell => ({
  ...{ id: `failover/rejoin/${fault}`, transition: "failover", row: "rejoin", fault },
  expect: ["C"],
  flags: { activeSite: "b", acceptLoss: 4, acceptUnproven: 4 },
  arrange,
  // No client reaches it, so neither sampler nor ledger would see it.
  heal: async (scene) => {
    const [row] = await scene.lane.lab.a
      .query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
      .catch(() => []);
    if (row?.standby === false) throw new Error("I1: site a is cut off, b serves, a takes writes");
    await mended("a")(scene);
  },
});

const bothReboot = (row: PhaseId, expect: readonly Verdict[]): Cell => ({
  ...{ id: `switchover/${row}/both-reboot`, transition: "switchover", row },
  ...{ fault: "both reboot", expect },
  hooks: beforeRow(row, async (scene) => {
    const { a, b } = scene.lane.lab;
    await Promise.all([a.powerOff(), b.powerOff()]);
    await Promise.all([comeBack(scene, "a"), comeBack(scene, "b")]);
    return undefined;
  }),
});

export const cutOffCells: readonly Cell[] = [
  cutOff("drain", "a", "H"),
  cutOff("fence", "a", "H"),
  cutOff("promote", "a", "C"),
  cutOff("promote", "b", "H"),
  cutOff("rejoin", "b", "C"),
  alive("cut-off-and-back", (scene) => isolate(scene, "a")),
  alive("cut-off-and-back-with-writes-of-its-own", async (scene) => {
    await cutLinks(scene);
    await scene.load.more(20);
    await isolate(scene, "a");
    await mendLinks(scene);
  }),
  bothReboot("fence", ["H"]),
  bothReboot("promote", ["C"]),
];
