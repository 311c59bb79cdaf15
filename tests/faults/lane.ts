import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Desired } from "../../plan/desired";
import type { Scripts } from "../../plan/scripts";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import { loadScripts } from "../../sites/scripts";
import { startLab, type Lab } from "../../lab/lab";
import { Link } from "../../lab/link";
import { Driver, type Drive, type DriveHooks } from "../../lab/driver/drive";
import { placeNames } from "../../lab/driver/records";
import { labWish, type DriverFlags } from "../../lab/driver/wish";
import { until } from "../../lab/postgres/processes";
import type { DnsRecordState } from "../../lab/cloudflare/records";
import { CELL_SERVICES, installServices } from "./services";

/**
 * A pair that is restored for each cell from one template: a serves, b streams, epoch 3 is settled. Each site reaches the
 * other's database through a relay, so that the link between the two can be cut alone.
 */
export class Lane {
  #zone: readonly DnsRecordState[] = [];

  private constructor(
    readonly lab: Lab,
    readonly driver: Driver,
    /** The ways TO each site. */
    readonly links: Readonly<Record<SiteId, Link>>,
    readonly scripts: Scripts,
  ) {}

  /** Builds the pair by the product's own initial transition and two flips, and keeps a copy of it. */
  static async open(): Promise<Lane> {
    const lab = await startLab();
    try {
      const port = lab.databasePort;
      const [a, b] = await Promise.all(
        SITE_IDS.map((site) => Link.open(RELAYS[site], lab.sites[site].host, port)),
      );
      if (a === undefined || b === undefined) throw new Error("there are always two links");
      const lane = new Lane(lab, new Driver(lab, PASSWORD), { a, b }, loadScripts());
      await lane.#build();
      return lane;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  wish(flags: DriverFlags, databaseHosts: Readonly<Record<SiteId, string>> = RELAYS): Desired {
    return labWish(this.lab, flags, { services: CELL_SERVICES, databaseHosts });
  }

  drive(flags: DriverFlags, hooks: DriveHooks = {}, scripts = this.scripts): Promise<Drive> {
    return this.driver.drive(this.wish(flags), scripts, hooks);
  }

  /** Everything that ran is ended; data, state and zone are those of the template; both servers run. */
  async restore(): Promise<void> {
    const { cloudflare } = this.lab;
    for (const site of SITE_IDS) {
      this.lab.sites[site].mend();
      await this.lab.sites[site].killAll();
    }
    await this.driver.end();
    for (const site of SITE_IDS) await this.lab.sites[site].killAll();
    for (const site of SITE_IDS) this.links[site].mend();
    cloudflare.faults.clear();
    cloudflare.dns.restore();
    this.#restoreZone();
    for (const site of SITE_IDS) this.#copy(this.#template(site), this.#live(site));
    await Promise.all(SITE_IDS.map((site) => this.lab.sites[site].cluster.start()));
    await this.#startServices("a");
    await this.streams("b");
  }

  /** Waits until a site receives what the other writes. */
  async streams(site: SiteId, withinMs = 15_000): Promise<void> {
    await until(`site ${site} streams`, withinMs, async () => {
      const rows = await this.lab.sites[site].cluster
        .query<{ status: string }>("select status from pg_stat_wal_receiver")
        .catch(() => []);
      return rows[0]?.status === "streaming";
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(SITE_IDS.map((site) => this.lab.sites[site].killAll()));
    await this.driver.end();
    await Promise.allSettled(SITE_IDS.map((site) => this.links[site].close()));
    await this.lab.close();
  }

  async #build(): Promise<void> {
    for (const site of SITE_IDS) installServices(this.lab.sites[site]);
    await this.#startServices("a");
    placeNames(this.lab, this.wish({ activeSite: "a" }));
    const direct = { a: this.lab.a.host, b: this.lab.b.host };
    await this.#mustHold(this.wish({ activeSite: "a" }, direct));
    this.#knowRelays();
    for (const activeSite of ["b", "a"] as const) await this.#mustHold(this.wish({ activeSite }));
    this.#zone = this.lab.cloudflare.records(this.lab.zone);
    for (const site of SITE_IDS) {
      await this.lab.sites[site].cluster.stop();
      await this.lab.sites[site].killAll();
      this.#copy(this.#live(site), this.#template(site));
    }
  }

  // The first flip's preflight logs in over the relays, before its prepare could write this down.
  #knowRelays(): void {
    for (const site of SITE_IDS) {
      const lines = SITE_IDS.map(
        (one) => `${RELAYS[one]}:${this.lab.databasePort}:*:standby_replication:${PASSWORD}\n`,
      );
      appendFileSync(join(this.lab.sites[site].home, ".pgpass"), lines.join(""));
    }
  }

  async #mustHold(wish: Desired): Promise<void> {
    const { code, text } = await this.driver.drive(wish, this.scripts);
    if (code !== 0) throw new Error(`the template could not be built (${String(code)}):\n${text}`);
  }

  #template(site: SiteId): string {
    return join(this.lab.dir, `kept-${site}`);
  }

  #live(site: SiteId): string {
    return this.lab.sites[site].dir;
  }

  #copy(from: string, to: string): void {
    execFileSync("mkdir", ["-p", to]);
    for (const part of ["data", "state"]) {
      rmSync(join(to, part), { recursive: true, force: true });
      execFileSync("cp", ["-a", "--reflink=auto", join(from, part), join(to, part)]);
    }
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

  async #startServices(site: SiteId): Promise<void> {
    for (const { name } of CELL_SERVICES) {
      const { home } = this.lab.sites[site];
      await this.lab.sites[site].run([join(home, "light"), "start", name]);
    }
  }
}

/** Where each site's database is reached by the other one. */
const PASSWORD = "a 'password'";
const RELAYS = { a: "127.0.0.12", b: "127.0.0.13" } as const;
