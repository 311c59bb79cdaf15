import { rmSync } from "node:fs";
import { join } from "node:path";
import { otherSite, type PhaseId, type SiteId } from "../../plan/terms";
import type { DriveHooks, Interference } from "../../lab/driver/drive";
import type { FaultAct } from "../../lab/cloudflare/faults";
import type { Scene } from "./cell";

/** The faults, as what a test does to a site, a link, the API or a file. */

/** The step of a phase at whose boundary a fault strikes. */
export function stepOf(row: PhaseId): string {
  return row === "announce" ? "pivot-" : row;
}

/** Hooks that act once, just before the step of this phase. */
export function beforeRow(
  row: PhaseId,
  act: (scene: Scene) => Promise<Interference | undefined> | Interference | undefined,
): (scene: Scene) => DriveHooks {
  return (scene) => ({
    before: async (step) => (step.id.startsWith(stepOf(row)) ? act(scene) : undefined),
  });
}

/** The host is gone: all processes die and nothing enters. */
export async function crash({ lane }: Scene, site: SiteId): Promise<void> {
  await lane.lab.sites[site].cut();
  await lane.lab.sites[site].powerOff();
}

/** Its power and its network return: the guard boots it. Throws when it does not boot. */
export async function comeBack({ lane }: Scene, site: SiteId): Promise<void> {
  await lane.lab.sites[site].mend();
  await lane.lab.sites[site].powerOn();
}

export async function reboot(scene: Scene, site: SiteId): Promise<void> {
  await scene.lane.lab.sites[site].powerOff();
  await comeBack(scene, site);
}

/** The two sites no longer reach each other; everybody else reaches both. */
export async function cutLinks({ lane }: Scene): Promise<undefined> {
  await lane.ground.between.cut();
}

export async function mendLinks({ lane }: Scene): Promise<void> {
  await lane.ground.between.mend();
}

/** Writes of this kind of record meet the fault, `times` times. */
export function failWrites({ lane }: Scene, type: "TXT" | "CNAME", act: FaultAct): void {
  const body = new RegExp(`"type":"${type}"`);
  lane.lab.cloudflare.faults.add({ method: "PUT", body, times: 1, act });
}

/** Nothing more can be written below the site's state folder, as on a full disk. */
export async function fillDisk({ lane }: Scene, site: SiteId): Promise<undefined> {
  await lane.lab.sites[site].fillDisk();
}

export async function emptyDisk({ lane }: Scene, site: SiteId): Promise<void> {
  await lane.lab.sites[site].emptyDisk();
}

/** A setting of a server that runs. */
export async function setting({ lane }: Scene, site: SiteId, text: string): Promise<void> {
  const server = lane.lab.sites[site];
  await server.query(`alter system ${text}`);
  await server.query("select pg_reload_conf()");
}

/** The standby stops following, as after a wrong edit. */
export async function unfollow(scene: Scene, site: SiteId): Promise<void> {
  await setting(scene, site, "set primary_conninfo = ''");
}

/** What prepare once left at a site counts as outdated. */
export function outdate({ lane }: Scene, site: SiteId): void {
  rmSync(join(lane.lab.sites[site].folders.state, "prepared"), { force: true });
}

/** Pauses the clients and waits until the other site has all. */
export async function quiet({ lane, load }: Scene, from: SiteId): Promise<void> {
  await load.pause();
  const [row] = await lane.lab.sites[from].query<{ lsn: string }>(
    "select pg_current_wal_lsn()::text as lsn",
  );
  const standby = lane.lab.sites[otherSite(from)];
  for (let look = 0; look < 500; look += 1) {
    const [seen] = await standby.query<{ passed: boolean }>(
      `select pg_last_wal_replay_lsn() >= '${row?.lsn ?? "0/0"}' as passed`,
    );
    if (seen?.passed === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the standby did not catch up");
}
