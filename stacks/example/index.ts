// An application on two real providers, reached over ssh. Copy it, change the names, run it from a machine that is
// neither site. Danger: keep the state elsewhere too (README, "Where the state must live").
import * as pulumi from "@pulumi/pulumi";
import { StandbyPair, ssh } from "../../components";

const config = new pulumi.Config();

const shop = new StandbyPair("shop", {
  // The one flag: `pulumi config set activeSite b && pulumi up`.
  activeSite: config.require("activeSite"),

  sites: {
    a: {
      provider: "hetzner",
      region: "fsn1",
      addresses: { v4: "192.0.2.10", v6: "2001:db8:a::10" },
      transport: ssh({
        host: "192.0.2.10",
        user: "root", // or the owner of the data directory, if the services' commands allow it
        hostKeys: [config.require("hostKeyA")],
      }),
    },
    b: {
      provider: "scaleway",
      region: "nl-ams-1",
      addresses: { v4: "198.51.100.20", v6: "2001:db8:b::20" },
      transport: ssh({
        host: "198.51.100.20",
        user: "root",
        hostKeys: [config.require("hostKeyB")],
      }),
    },
  },

  database: {
    postgres: {
      dataDirectory: "/var/lib/postgresql/15/main",
      configFile: "/etc/postgresql/15/main/postgresql.conf",
      port: 5432,
      superuser: "postgres",
      replicationUser: "standby_replication",
    },
  },

  // Workers stop first and start in waves, each gated by its health.
  services: [
    {
      name: "web",
      kind: "web",
      wave: 1,
      start: "systemctl start shop-web",
      stop: "systemctl stop shop-web",
      healthy: "systemctl is-active --quiet shop-web && curl -fsS http://127.0.0.1:8080/health",
    },
    {
      name: "jobs",
      kind: "worker",
      wave: 2,
      start: "systemctl start shop-jobs",
      stop: "systemctl stop shop-jobs",
      healthy: "systemctl is-active --quiet shop-jobs",
    },
  ],

  // Every hostname points to active.shop.example, so that a flip writes one record.
  dns: {
    cloudflare: {
      zones: [
        {
          zone: "shop.example",
          zoneId: config.require("zoneId"),
          hostnames: ["shop.example", "www.shop.example", "api.shop.example"],
        },
      ],
      ttl: 60,
      proxied: false,
      // Seconds to watch the pivot after a flip; 0 in a rehearsal, where nobody waits for resolvers.
      watchSeconds: config.getNumber("watchSeconds") ?? 60,
    },
  },

  // A site that is cut off fences itself within 30 s (docs/safety.md says what that proves).
  guard: { bound: 30, isolation: "either", after: 12, poll: 2 },
  limits: { lagBytes: 16 * 1024 * 1024, stepSeconds: 60 },

  // Ed25519, PEM; only its public half goes to the sites.
  witnessKey: config.requireSecret("witnessKey"),

  // Each names one epoch, printed by the update that asks for it, and has no effect in any other.
  acceptLoss: config.getNumber("acceptLoss"),
  acceptUnproven: config.getNumber("acceptUnproven"),
  approvedPlan: config.get("approvedPlan"),
});

export const activeSite = shop.activeSite;
export const epoch = shop.epoch;
export const transition = shop.transition;
export const planDigest = shop.planDigest;
export const checklist = shop.checklist;
