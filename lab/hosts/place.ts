import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { SiteId } from "../../plan/terms";
import type { TourLab, TourSite } from "../place";
import type { SiteRun } from "../site";
import type { LabConfig } from "../stack";
import { CLUSTER, SHOP, WEB_PORT } from "./debian";
import type { Host } from "./host";
import { startHosts, type Hosts, type HostsOptions } from "./hosts";
import { room } from "./room";

/** A host as a site of a tour. */
class HostSite implements TourSite {
  constructor(
    readonly id: SiteId,
    private readonly machine: Host,
  ) {}

  get host(): string {
    return this.machine.address.v4;
  }

  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.machine.query<Row>(sql, parameters);
  }

  run(command: readonly string[], input = ""): Promise<SiteRun> {
    return this.machine.run(command, input);
  }

  // First the way between the sites breaks, so that clients still get acknowledgements that the peer never hears of.
  async lose(peer: TourSite): Promise<void> {
    await this.machine.link.cutFrom(peer.host);
    await pause(1000);
    await this.machine.cut();
  }

  mend(): Promise<void> {
    return this.machine.mend();
  }

  powerOff(): Promise<void> {
    return this.machine.powerOff();
  }

  async powerOn(): Promise<string> {
    await this.machine.powerOn();
    return this.guardLog();
  }

  /** Of this boot: from the journal, or from the file that the small init keeps. */
  async guardLog(): Promise<string> {
    const log =
      this.machine.make.name === "systemd"
        ? ["journalctl", "--boot", "--output=cat", "--unit=standby-*"]
        : ["cat", "/var/log/guard.log"];
    return (await this.machine.run(log)).stdout;
  }
}

/** The lab of hosts as a place for a tour: the program is stacks/example, unchanged. */
export class HostsLab implements TourLab {
  readonly dir: string;
  readonly zone = "shop.example";
  readonly hostnames = [`www.${this.zone}`, `api.${this.zone}`, this.zone];
  readonly databasePort = CLUSTER.port;
  readonly webPort = WEB_PORT;
  readonly login = SHOP;
  readonly project = "stacks/example";
  readonly sites: { readonly a: TourSite; readonly b: TourSite };
  readonly #witnessKey: string;
  readonly #before = process.env["CLOUDFLARE_BASE_URL"];

  private constructor(readonly hosts: Hosts) {
    this.dir = join(room().folder, "tour");
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    this.sites = { a: new HostSite("a", hosts.a), b: new HostSite("b", hosts.b) };
    const { privateKey } = generateKeyPairSync("ed25519");
    this.#witnessKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    // The vendor's address is the one thing that no config line of stacks/example names.
    process.env["CLOUDFLARE_BASE_URL"] = hosts.cloudflare.apiUrl;
  }

  static async open(options: HostsOptions = {}): Promise<HostsLab> {
    return new HostsLab(await startHosts(options));
  }

  get a(): TourSite {
    return this.sites.a;
  }
  get b(): TourSite {
    return this.sites.b;
  }
  get cloudflare(): Hosts["cloudflare"] {
    return this.hosts.cloudflare;
  }
  get dns(): { readonly address: string; readonly port: number } {
    return { address: this.cloudflare.dnsAddress, port: this.cloudflare.dnsPort };
  }

  stackConfig(activeSite: SiteId = "a"): LabConfig {
    const { door, cloudflare } = this.hosts;
    const zone = cloudflare.zones.find(({ name }) => name === this.zone);
    const plain = (value: string) => ({ value, secret: false });
    return {
      activeSite: plain(activeSite),
      hostKeyA: plain(door.hostKey("a")),
      hostKeyB: plain(door.hostKey("b")),
      zoneId: plain(zone?.id ?? ""),
      watchSeconds: plain("0"),
      witnessKey: { value: this.#witnessKey, secret: true },
      "cloudflare:apiToken": { value: cloudflare.token, secret: true },
    };
  }

  async close(): Promise<void> {
    if (this.#before === undefined) delete process.env["CLOUDFLARE_BASE_URL"];
    else process.env["CLOUDFLARE_BASE_URL"] = this.#before;
    await this.hosts.close();
  }
}
