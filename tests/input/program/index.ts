import { Zone } from "@pulumi/cloudflare/zone";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { local, ssh, StandbyPair, type SshArgs, type StandbyPairArgs } from "../../../components";
import { siteOf, type LabStack } from "../../../stacks/demo/lab";
import { put } from "../put";

/** The demo's pair with values put at paths. What JSON cannot say is named: a transport, or an output that is not known yet. */

const config = new pulumi.Config();
const lab = config.requireObject<LabStack>("lab");
const changes = config.getObject<Record<string, unknown>>("put") ?? {};

function meant(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("ssh" in value) return ssh(value.ssh as SshArgs);
  if ("wrap" in value) return local({ wrap: value.wrap as string[] });
  if ("password" in value) return new RandomPassword("unknown", { length: 32 }).result;
  if ("zone" in value) return new Zone("unknown", { account: { id: "none" }, name: lab.zone }).id;
  return value;
}

const args: Record<string, unknown> = {
  activeSite: config.require("activeSite"),
  sites: { a: siteOf(lab.sites.a), b: siteOf(lab.sites.b) },
  database: { postgres: { dataDirectory: lab.sites.a.dataDirectory } },
  services: lab.services,
  dns: {
    cloudflare: {
      zones: [{ zone: lab.zone, zoneId: lab.zoneId, hostnames: lab.hostnames }],
      servers: lab.servers,
      // Nobody else writes here, so nothing is watched for after a flip.
      watchSeconds: 0,
    },
  },
  guard: { bound: 8, after: 3, poll: 1 },
  limits: { stepSeconds: 20 },
  witnessKey: config.requireSecret("witnessKey"),
  acceptLoss: config.getNumber("acceptLoss"),
  acceptUnproven: config.getNumber("acceptUnproven"),
  approvedPlan: config.get("approvedPlan"),
  protect: false,
};
put(args, Object.fromEntries(Object.entries(changes).map(([path, value]) => [path, meant(value)])));

new StandbyPair("shop", args as unknown as StandbyPairArgs);
