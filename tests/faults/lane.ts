import type { Desired } from "../../plan/desired";
import type { Scripts } from "../../plan/scripts";
import type { SiteId } from "../../plan/terms";
import { loadScripts } from "../../sites/scripts";
import { Driver, type Drive, type DriveHooks } from "../../lab/driver/drive";
import { placeNames } from "../../lab/driver/records";
import { labWish, type DriverFlags } from "../../lab/driver/wish";
import type { DnsRecordState } from "../../lab/cloudflare/records";
import type { CellLab } from "../../lab/place";
import { until } from "../../lab/postgres/processes";
import type { DatabaseHosts, Ground } from "./ground";
import { HostsGround } from "./hostsGround";
import { LoopbackGround } from "./loopback";

const PASSWORD = "a 'password'";

/**
 * A pair that is restored for each cell from one template: a serves, b streams, epoch 3 is settled. The link between the two
 * can be cut alone.
 */
export class Lane {
  #zone: readonly DnsRecordState[] = [];

  private constructor(
    readonly ground: Ground,
    readonly driver: Driver,
    readonly scripts: Scripts,
  ) {}

  /** Builds the pair by the product's own initial transition and two flips, and keeps a copy of it. */
  static async open({ hosts = false } = {}): Promise<Lane> {
    const ground = await (hosts ? HostsGround.open() : LoopbackGround.open(PASSWORD));
    try {
      const lane = new Lane(ground, new Driver(ground.lab, PASSWORD), loadScripts());
      await lane.#build();
      return lane;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  get lab(): CellLab {
    return this.ground.lab;
  }

  wish(flags: DriverFlags): Desired {
    return labWish(this.lab, flags, this.ground.settings);
  }

  drive(flags: DriverFlags, hooks: DriveHooks = {}, scripts = this.scripts): Promise<Drive> {
    return this.driver.drive(this.wish(flags), scripts, hooks);
  }

  /** Everything that ran is ended; data, state and zone are those of the template; both servers run. */
  async restore(): Promise<void> {
    const { cloudflare } = this.lab;
    await this.ground.end();
    await this.driver.end();
    // What the sessions had still started there.
    await this.ground.end();
    cloudflare.faults.clear();
    cloudflare.dns.restore();
    this.#restoreZone();
    await this.ground.putBack();
    await this.streams("b");
  }

  /** Waits until a site receives what the other writes. */
  async streams(site: SiteId, withinMs = 15_000): Promise<void> {
    await until(`site ${site} streams`, withinMs, async () => {
      const rows = await this.lab.sites[site]
        .query<{ status: string }>("select status from pg_stat_wal_receiver")
        .catch(() => []);
      return rows[0]?.status === "streaming";
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.ground.end()]);
    await this.driver.end();
    await this.ground.close();
  }

  async #build(): Promise<void> {
    const { ground, lab } = this;
    await ground.begin();
    placeNames(lab, this.wish({ activeSite: "a" }));
    const databaseHosts: DatabaseHosts = { a: lab.a.host, b: lab.b.host };
    await this.#mustHold(labWish(lab, { activeSite: "a" }, { ...ground.settings, databaseHosts }));
    ground.made();
    for (const activeSite of ["b", "a"] as const) await this.#mustHold(this.wish({ activeSite }));
    this.#zone = lab.cloudflare.records(lab.zone);
    await ground.keep();
  }

  async #mustHold(wish: Desired): Promise<void> {
    const { code, text } = await this.driver.drive(wish, this.scripts);
    if (code !== 0) throw new Error(`the template could not be built (${String(code)}):\n${text}`);
  }

  #restoreZone(): void {
    const { cloudflare, zone } = this.lab;
    for (const record of cloudflare.records(zone)) {
      cloudflare.deleteRecord(zone, record.name, record.type);
    }
    for (const { name, type, content, ttl } of this.#zone) {
      cloudflare.setRecord(zone, { name, type, content, ttl });
    }
  }
}
