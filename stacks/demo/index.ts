import * as pulumi from "@pulumi/pulumi";
import { StandbyPair } from "../../components";
import { siteOf, type LabStack } from "./lab";

/**
 * The program of the demo: two sites on loopback, described by one config value that the lab writes.
 * Nothing in it knows the engine it runs on.
 */

const config = new pulumi.Config();
const lab = config.requireObject<LabStack>("lab");

const pair = new StandbyPair("shop", {
  activeSite: config.require("activeSite"),
  sites: { a: siteOf(lab.sites.a), b: siteOf(lab.sites.b) },
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
