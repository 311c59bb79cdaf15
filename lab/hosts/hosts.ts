import { join } from "node:path";
import { mkdtempSync } from "node:fs";
import { installApp, type InstalledApp } from "../app/install";
import { nameServers } from "../cloudflare/account";
import { startCloudflareLab, type CloudflareLab } from "../cloudflare";
import { borrowedNode, furnish, installShop, makeCluster, type ClusterState } from "./debian";
import { Door } from "./door";
import { Host } from "./host";
import { init } from "./init";
import type { Address } from "./network";
import { ADDRESSES, room, RUNNER, SECOND_NAME_SERVER } from "./room";
import { systemd } from "./systemd";

// Above the names of lab/cloudflare's servers.
const NAME_SERVERS = "lab.invalid";
const MAKES = { systemd, init };

/** What to build. */
export interface HostsOptions {
  /** `systemd` for units, boots, sessions and upgrades; `init` for a host in under a second. @default "systemd" */
  readonly make?: "systemd" | "init";
  /** The database of site a. @default "data" */
  readonly a?: ClusterState;
  /** The database of site b. @default "empty" */
  readonly b?: ClusterState;
  /** listen_addresses of the clusters with data. @default "*" */
  readonly listen?: string;
  /** @default "shop.example" */
  readonly zone?: string;
}

/** Two hosts, and beside them the runner with the DNS vendor: this very process, inside the room. */
export class Hosts {
  readonly #all: Host[] = [];

  private constructor(
    readonly options: HostsOptions,
    readonly door: Door,
    readonly cloudflare: CloudflareLab,
    private readonly app: InstalledApp,
  ) {}

  static async open(options: HostsOptions): Promise<Hosts> {
    const folder = mkdtempSync(join(room().folder, "lab-"));
    const door = await Door.open(join(folder, "door"));
    const cloudflare = await startVendor(options.zone ?? "shop.example");
    const hosts = new Hosts(options, door, cloudflare, installApp(join(folder, "app")));
    try {
      const { a = "data", b = "empty" } = options;
      await Promise.all([hosts.add("a", ADDRESSES.a, a), hosts.add("b", ADDRESSES.b, b)]);
      return hosts;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  get a(): Host {
    return this.#named("a");
  }
  get b(): Host {
    return this.#named("b");
  }

  #named(name: string): Host {
    const found = this.#all.find((host) => host.name === name);
    if (found === undefined) throw new Error(`there is no host ${name}`);
    return found;
  }

  /** One more host, up, as a site has it: the place of a lost one, say. */
  async add(name: string, address: Address, cluster: ClusterState = "none"): Promise<Host> {
    const { make = "systemd", listen = "*" } = this.options;
    const borrowed = borrowedNode();
    const host = await Host.create({ name, address, borrowed, make: MAKES[make] }, this.door);
    this.#all.push(host);
    furnish(host.disk.root, name);
    await this.door.install(name, host.disk.root);
    installShop(host, name, this.app);
    await host.powerOn();
    await makeCluster(host, cluster, listen);
    return host;
  }

  /** Ends everything; the room stays for others. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((host) => host.remove()));
    await this.cloudflare.close();
    this.door.close();
  }
}

// The zone's name servers have names of the vendor's own, which resolvers find as well.
async function startVendor(zone: string): Promise<CloudflareLab> {
  const vendor = await startCloudflareLab({
    zones: [{ name: zone }, { name: NAME_SERVERS }],
    host: RUNNER,
    dnsPort: 53,
    extraDnsAddresses: [SECOND_NAME_SERVER],
  });
  for (const [index, address] of vendor.dnsAddresses.entries()) {
    vendor.setRecord(NAME_SERVERS, { name: nameServers[index] ?? "", type: "A", content: address });
  }
  return vendor;
}

/** Builds two hosts. Only inside the room (lab/hosts/README.md). */
export function startHosts(options: HostsOptions = {}): Promise<Hosts> {
  return Hosts.open(options);
}
