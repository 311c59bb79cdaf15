import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startLab, type Lab } from "../../lab/lab";
import { Link } from "../../lab/link";
import type { DriverSettings } from "../../lab/driver/wish";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import type { Between, Ground } from "./ground";
import { CELL_SERVICES, installServices } from "./services";

/** Where each site's database is reached by the other one. */
const RELAYS = { a: "127.0.0.12", b: "127.0.0.13" } as const;

/** Both ways between the sites, each through a relay. */
class Relays implements Between {
  private constructor(private readonly links: readonly Link[]) {}

  static async open(lab: Lab): Promise<Relays> {
    const port = lab.databasePort;
    return new Relays(
      await Promise.all(
        SITE_IDS.map((site) => Link.open(RELAYS[site], lab.sites[site].host, port)),
      ),
    );
  }

  cut(): void {
    for (const link of this.links) link.cut();
  }

  stall(): void {
    for (const link of this.links) link.stall();
  }

  mend(): void {
    for (const link of this.links) link.mend();
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.links.map((link) => link.close()));
  }
}

/** The lab's sites on loopback, in folders of this machine. */
export class LoopbackGround implements Ground {
  readonly settings: DriverSettings;

  private constructor(
    readonly lab: Lab,
    readonly between: Relays,
    private readonly password: string,
  ) {
    this.settings = { services: CELL_SERVICES, databaseHosts: RELAYS };
  }

  static async open(password: string): Promise<LoopbackGround> {
    const lab = await startLab();
    try {
      return new LoopbackGround(lab, await Relays.open(lab), password);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async begin(): Promise<void> {
    for (const site of SITE_IDS) installServices(this.lab.sites[site]);
    await this.#startServices();
  }

  // The first flip's preflight logs in over the relays, before its prepare could write this down.
  made(): void {
    const { databasePort: port } = this.lab;
    const lines = Object.values(RELAYS).map(
      (host) => `${host}:${port}:*:standby_replication:${this.password}\n`,
    );
    for (const site of SITE_IDS) {
      appendFileSync(join(this.lab.sites[site].home, ".pgpass"), lines.join(""));
    }
  }

  async keep(): Promise<void> {
    for (const site of SITE_IDS) {
      await this.lab.sites[site].cluster.stop();
      await this.lab.sites[site].killAll();
      copy(this.lab.sites[site].dir, this.#template(site));
    }
  }

  async end(): Promise<void> {
    for (const site of SITE_IDS) {
      this.lab.sites[site].mend();
      await this.lab.sites[site].killAll();
    }
    this.between.mend();
  }

  async putBack(): Promise<void> {
    for (const site of SITE_IDS) copy(this.#template(site), this.lab.sites[site].dir);
    await Promise.all(SITE_IDS.map((site) => this.lab.sites[site].cluster.start()));
    await this.#startServices();
  }

  async close(): Promise<void> {
    await Promise.allSettled(SITE_IDS.map((site) => this.lab.sites[site].killAll()));
    await this.between.close();
    await this.lab.close();
  }

  #template(site: SiteId): string {
    return join(this.lab.dir, `kept-${site}`);
  }

  async #startServices(): Promise<void> {
    const { a } = this.lab;
    for (const { name } of CELL_SERVICES) await a.run([join(a.home, "light"), "start", name]);
  }
}

function copy(from: string, to: string): void {
  execFileSync("mkdir", ["-p", to]);
  for (const part of ["data", "state"]) {
    rmSync(join(to, part), { recursive: true, force: true });
    execFileSync("cp", ["-a", "--reflink=auto", join(from, part), join(to, part)]);
  }
}
