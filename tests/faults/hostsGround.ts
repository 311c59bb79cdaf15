import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DriverSettings } from "../../lab/driver/wish";
import type { Snapshot } from "../../lab/hosts/disk";
import type { Host } from "../../lab/hosts/host";
import { Way } from "../../lab/hosts/network";
import { STATE } from "../../lab/hosts/debian";
import { HostsLab } from "../../lab/hosts/place";
import { CHECKPOINT } from "../../lab/hosts/site";
import { runHere } from "../../lab/site";
import { until } from "../../lab/postgres/processes";
import { parseFacts } from "../../plan/observed";
import { SITE_IDS } from "../../plan/terms";
import type { Between, Ground } from "./ground";

/** The application's two units, under the names that the cells know them by. */
const UNITS = { worker: "shop-jobs", web: "shop-web" } as const;
const HEALTH = "curl -fsS http://127.0.0.1:8080/health";

const SETTINGS: DriverSettings = {
  services: (["worker", "web"] as const).map((name) => ({
    ...{ name, kind: name, wave: 1 },
    start: `systemctl start ${UNITS[name]}`,
    stop: `systemctl stop ${UNITS[name]}`,
    healthy: `systemctl is-active --quiet ${UNITS[name]}${name === "web" ? ` && ${HEALTH}` : ""}`,
  })),
  stepSeconds: 15,
  // Here the guards run, and the clients' machine is theirs: one that has no time for them must not fence a healthy site.
  guard: { bound: 9, after: 4, poll: 1 },
};

/** Two hosts of the small init: pid 1, network, disk, sshd and Debian's PostgreSQL each of their own. */
export class HostsGround implements Ground {
  readonly settings = SETTINGS;
  readonly between: Between;
  #kept: readonly Snapshot[] = [];

  private constructor(readonly lab: HostsLab) {
    const way = new Way(lab.hosts.a.address, lab.hosts.b.address);
    this.between = {
      cut: () => way.cut(),
      // A packet that is dropped says neither that it was lost nor that it was held up.
      stall: () => way.cut(),
      mend: () => way.mend(),
    };
  }

  static async open(): Promise<HostsGround> {
    return new HostsGround(await HostsLab.open({ make: "init" }));
  }

  async begin(): Promise<void> {
    // A lane that was killed before this one took back nothing.
    await this.#endMasters();
    await this.between.mend();
    for (const host of this.#all) {
      await host.writeFile("/etc/ssh/sshd_config.d/cells.conf", `AcceptEnv ${CHECKPOINT}\n`);
      await host.must(["sh", "-c", "kill -HUP $(cat /run/sshd.pid)"]);
    }
    await this.#startServices();
  }

  made(): void {
    // The sites reach each other as they always will.
  }

  async keep(): Promise<void> {
    for (const host of this.#all) await host.shutDown();
    this.#kept = await Promise.all(this.#all.map((host) => host.disk.copy()));
  }

  async end(): Promise<void> {
    await this.#endMasters();
    await Promise.all(this.#all.map((host) => host.powerOff()));
    await this.between.mend();
    for (const host of this.#all) await host.mend();
  }

  async putBack(): Promise<void> {
    const all = this.#all.map(async (host, index) => {
      const kept = this.#kept[index];
      if (kept !== undefined) await host.disk.putBack(kept);
      await host.powerOn();
    });
    await Promise.all(all);
    await this.#startServices();
    await until("site a is at rest", 60_000, () => this.#isAtRest());
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  get #all(): readonly Host[] {
    return SITE_IDS.map((site) => this.lab.hosts[site]);
  }

  async #startServices(): Promise<void> {
    for (const unit of Object.values(UNITS)) {
      await this.lab.hosts.a.must(["systemctl", "start", unit]);
    }
  }

  /** Its guard has opened what it holds closed after a boot, and holds what it may miss. */
  async #isAtRest(): Promise<boolean> {
    const { stdout } = await this.lab.a.run([join(STATE, "guard"), "status"]);
    const { guard_armed: armed, signal } = parseFacts(stdout);
    return armed === "yes" && signal === "no";
  }

  /** Connections that steps share outlive them by a minute, and hang where the host behind them is gone without a word. */
  async #endMasters(): Promise<void> {
    const folder = join(process.env["XDG_RUNTIME_DIR"] ?? "/tmp", `standby-${process.getuid?.()}`);
    if (!existsSync(folder)) return;
    for (const socket of readdirSync(folder)) {
      await runHere(["ssh", "-F", "none", "-S", join(folder, socket), "-O", "exit", "site"]);
    }
  }
}
