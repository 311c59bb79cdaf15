import * as pulumi from "@pulumi/pulumi";
import { ssh, StandbyPair, type StandbyPairArgs } from "../../../components";
import { put } from "../../input/put";

/** README's pair, entered over ssh as root unless config names another account, with values put at paths. */

const config = new pulumi.Config();
// The address of site a, for a host that takes the place of a lost one.
const hostA = config.get("hostA") ?? "192.0.2.10";
const user = config.get("user") ?? "root";
const args: Record<string, unknown> = {
  activeSite: config.require("activeSite"),
  sites: {
    a: {
      provider: "hetzner",
      region: "fsn1",
      addresses: { v4: hostA },
      transport: ssh({ host: hostA, user, hostKeys: [config.require("hostKeyA")] }),
    },
    b: {
      provider: "scaleway",
      region: "nl-ams-1",
      addresses: { v4: "198.51.100.20" },
      transport: ssh({
        host: "198.51.100.20",
        user,
        hostKeys: [config.require("hostKeyB")],
      }),
    },
  },
  database: { postgres: { dataDirectory: "/var/lib/postgresql/15/main" } },
  dns: {
    cloudflare: {
      zones: [
        { zone: "shop.example", zoneId: config.require("zoneId"), hostnames: ["www.shop.example"] },
      ],
      servers: config.requireObject<string[]>("servers"),
      watchSeconds: 0,
    },
  },
  witnessKey: config.requireSecret("witnessKey"),
  protect: false,
};
put(args, config.getObject<Record<string, unknown>>("put") ?? {});

new StandbyPair("shop", args as unknown as StandbyPairArgs);
