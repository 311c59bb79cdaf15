import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { publicKeyOf, type WitnessPublicKey } from "../sites/witness";
import { installApp } from "./app/install";
import { startCloudflareLab, type CloudflareLab } from "./cloudflare";
import { LEDGER_TABLE } from "./ledger/ledger";
import { Cluster } from "./postgres/cluster";
import { freePort } from "./postgres/ports";
import { ownedFolder, temporaryFolder } from "./postgres/programs";
import { Sweeper } from "./processes";
import type { CellLab } from "./place";
import { LabSite } from "./site";
import { JOBS_TABLE } from "./tables";
import { stackConfig, type LabConfig } from "./stack";

/** What to build. */
export interface LabOptions {
  /** A new or empty folder; keep it short. @default one below the temporary folder */
  readonly dir?: string;
  /** @default "shop.test" */
  readonly zone?: string;
  /** @default www and api below the zone */
  readonly hostnames?: readonly string[];
}

const HOSTS = { a: "127.0.0.2", b: "127.0.0.3" } as const;

/** Two sites, a zone, and keys: all that a pair needs, on loopback, gone when it is closed. */
export class Lab implements CellLab {
  readonly project = "stacks/demo";
  #closing: Promise<void> | undefined;

  constructor(
    readonly dir: string,
    readonly zone: string,
    readonly hostnames: readonly string[],
    readonly a: LabSite,
    readonly b: LabSite,
    readonly cloudflare: CloudflareLab,
    /** Ed25519 private key of the witness, PKCS #8 PEM, made for this lab. */
    readonly witnessKey: string,
    private readonly sweeper: Sweeper,
  ) {}

  get sites(): { readonly a: LabSite; readonly b: LabSite } {
    return { a: this.a, b: this.b };
  }

  /** The authoritative server, as ledger and web client want it. */
  get dns(): { readonly address: string; readonly port: number } {
    return { address: this.cloudflare.dnsAddress, port: this.cloudflare.dnsPort };
  }

  get witnessPublicKey(): WitnessPublicKey {
    return publicKeyOf(this.witnessKey);
  }

  /** Port of the database, the same at both sites. */
  get databasePort(): number {
    return this.a.cluster.port;
  }

  /** Trusted from loopback, which keeps the lab's clients short. */
  get login(): { readonly user: string } {
    return { user: this.a.cluster.superuser };
  }

  /** Port of the web app, the same at both sites. */
  get webPort(): number {
    return this.a.webPort;
  }

  /** Config for stacks/demo: key -> value, and whether it is a secret. */
  stackConfig(activeSite: "a" | "b" = "a"): LabConfig {
    return stackConfig(this, activeSite);
  }

  /** Ends everything and removes the folder. A second call waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.a.killAll(), this.b.killAll()]);
    await this.cloudflare.close();
    await this.sweeper.sweep();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * Builds the lab: site a has a running database with the tables `ledger` and `jobs`, site b is empty
 * (the first transition seeds it), no service runs yet and the zone is empty.
 * However this process ends, all that the lab started is ended and its folder removed.
 */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const { zone = "shop.test" } = options;
  const hostnames = options.hostnames ?? [`www.${zone}`, `api.${zone}`];
  const dir = openFolder(options.dir);
  const sweeper = new Sweeper(dir);
  const zones = [{ name: zone }];
  const cloudflare = await startCloudflareLab({ zones, extraDnsAddresses: ["127.0.0.4"] });
  try {
    const ports = await Promise.all([freePort(hosts()), freePort(hosts())]);
    const sites = await buildSites(dir, ...ports);
    const { privateKey } = generateKeyPairSync("ed25519");
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    return new Lab(dir, zone, hostnames, sites.a, sites.b, cloudflare, key, sweeper);
  } catch (error) {
    await Promise.all([sweeper.sweep(), cloudflare.close()]);
    throw error;
  }
}

function hosts(): readonly string[] {
  return Object.values(HOSTS);
}

function openFolder(dir: string | undefined): string {
  if (dir === undefined) return temporaryFolder("standby-");
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new Error(`${dir}: not empty\nHINT: name a folder that the lab may make and remove.`);
  }
  return ownedFolder(dir);
}

async function buildSites(
  dir: string,
  port: number,
  webPort: number,
): Promise<{ a: LabSite; b: LabSite }> {
  const app = installApp(join(dir, "app"));
  const place = (site: "a" | "b") => ({ dir: join(dir, site), site, host: HOSTS[site], port });
  const a = await Cluster.create(place("a"));
  const b = new Cluster(place("b"));
  await a.start();
  await a.query(LEDGER_TABLE);
  await a.query(JOBS_TABLE);
  return {
    a: new LabSite("a", HOSTS.a, webPort, a, app),
    b: new LabSite("b", HOSTS.b, webPort, b, app),
  };
}
