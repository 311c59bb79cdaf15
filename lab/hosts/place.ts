import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SiteId } from "../../plan/terms";
import { publicKeyOf, type WitnessPublicKey } from "../../sites/witness";
import type { CellLab } from "../place";
import type { LabConfig } from "../stack";
import { CLUSTER, SHOP, WEB_PORT } from "./debian";
import { startHosts, type Hosts, type HostsOptions } from "./hosts";
import { room } from "./room";
import { HostSite } from "./site";

/** The lab of hosts as a place for a tour, whose program is stacks/example unchanged, or for cells. */
export class HostsLab implements CellLab {
  readonly dir: string;
  readonly zone = "shop.example";
  readonly hostnames = [`www.${this.zone}`, `api.${this.zone}`, this.zone];
  readonly databasePort = CLUSTER.port;
  readonly webPort = WEB_PORT;
  readonly login = SHOP;
  readonly project = "stacks/example";
  readonly sites: { readonly a: HostSite; readonly b: HostSite };
  readonly witnessKey: string;
  readonly #before = process.env["CLOUDFLARE_BASE_URL"];

  private constructor(readonly hosts: Hosts) {
    this.dir = join(room().folder, "tour");
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    this.sites = { a: new HostSite("a", hosts.a), b: new HostSite("b", hosts.b) };
    const { privateKey } = generateKeyPairSync("ed25519");
    this.witnessKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    // The vendor's address is the one thing that no config line of stacks/example names.
    process.env["CLOUDFLARE_BASE_URL"] = hosts.cloudflare.apiUrl;
  }

  static async open(options: HostsOptions = {}): Promise<HostsLab> {
    return new HostsLab(await startHosts(options));
  }

  get a(): HostSite {
    return this.sites.a;
  }
  get b(): HostSite {
    return this.sites.b;
  }
  get witnessPublicKey(): WitnessPublicKey {
    return publicKeyOf(this.witnessKey);
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
      witnessKey: { value: this.witnessKey, secret: true },
      "cloudflare:apiToken": { value: cloudflare.token, secret: true },
    };
  }

  async close(): Promise<void> {
    if (this.#before === undefined) delete process.env["CLOUDFLARE_BASE_URL"];
    else process.env["CLOUDFLARE_BASE_URL"] = this.#before;
    await this.hosts.close();
  }
}
