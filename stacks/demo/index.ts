import * as pulumi from "@pulumi/pulumi";
import { local, ssh, StandbyPair, type SiteArgs, type SshArgs } from "../../components";

/**
 * The program of the demo: two sites on loopback, described by one config value that the lab writes.
 * Nothing in it knows the engine it runs on.
 */

interface LabSiteConfig {
  readonly provider: string;
  readonly region: string;
  readonly host: string;
  readonly wrap: string;
  readonly ssh?: SshArgs;
  readonly port: number;
  readonly dataDirectory: string;
  readonly stateDirectory: string;
  readonly socketDirectory: string;
  readonly binDirectory: string;
  readonly superuser: string;
}

interface LabConfig {
  readonly zone: string;
  readonly zoneId: string;
  readonly hostnames: readonly string[];
  readonly servers: readonly string[];
  readonly services: readonly {
    readonly name: string;
    readonly kind: "web" | "worker";
    readonly wave: number;
    readonly start: string;
    readonly stop: string;
    readonly healthy: string;
  }[];
  readonly sites: { readonly a: LabSiteConfig; readonly b: LabSiteConfig };
}

const config = new pulumi.Config();
const lab = config.requireObject<LabConfig>("lab");

function site(of: LabSiteConfig): SiteArgs {
  const { provider, region, host, wrap, stateDirectory } = of;
  const { port, dataDirectory, socketDirectory, binDirectory, superuser } = of;
  return {
    provider,
    region,
    addresses: { v4: host },
    transport: of.ssh === undefined ? local({ wrap: [wrap] }) : ssh(of.ssh),
    stateDirectory,
    postgres: { port, dataDirectory, socketDirectory, binDirectory, superuser },
  };
}

const pair = new StandbyPair("shop", {
  activeSite: config.require("activeSite"),
  sites: { a: site(lab.sites.a), b: site(lab.sites.b) },
  database: { postgres: { dataDirectory: lab.sites.a.dataDirectory } },
  services: lab.services,
  dns: {
    cloudflare: {
      zones: [{ zone: lab.zone, zoneId: lab.zoneId, hostnames: lab.hostnames }],
      servers: lab.servers,
      // Nobody waits for resolvers in a demo.
      watchSeconds: config.getNumber("watchSeconds") ?? 0,
    },
  },
  guard: { bound: 8, after: 3, poll: 1 },
  witnessKey: config.requireSecret("witnessKey"),
  acceptLoss: config.getNumber("acceptLoss"),
  acceptUnproven: config.getNumber("acceptUnproven"),
  discardDelta: config.getNumber("discardDelta"),
  approvedPlan: config.get("approvedPlan"),
  adopt: config.getBoolean("adopt") ?? false,
  release: config.getBoolean("release") ?? false,
  protect: config.getBoolean("protect") ?? false,
});

export const activeSite = pair.activeSite;
export const epoch = pair.epoch;
export const transition = pair.transition;
export const planDigest = pair.planDigest;
export const checklist = pair.checklist;
