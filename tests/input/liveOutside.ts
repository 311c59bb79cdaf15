import { join } from "node:path";
import type { InputBench } from "./bench";
import type { LiveCase } from "./liveCase";
import { rewrite, type Undo } from "./surroundings";

/** What can be wrong around the sites: the DNS vendor and the ways. */

const data = (bench: InputBench, site: "a" | "b", file: string) =>
  join(bench.lab.sites[site].cluster.dataDirectory, file);
const both =
  (...undo: readonly Undo[]): Undo =>
  async () => {
    for (const each of undo) await each();
  };

export const CLOUDFLARE: readonly LiveCase[] = [
  {
    name: "no token",
    config: { "cloudflare:apiToken": "" },
    says: [
      "the witness cannot be written (no API token; pulumi config set --secret cloudflare:apiToken)",
      "acceptUnproven 2",
    ],
  },
  {
    name: "a token that is not valid",
    config: { "cloudflare:apiToken": "x".repeat(40) },
    says: [
      /the witness cannot be written \(the API answered 40[0-9] .+\)/,
      "run pulumi up again when the API answers",
    ],
  },
  {
    name: "a zone that the token does not see",
    put: () => ({ "dns.cloudflare.zones.0.zoneId": "f".repeat(32) }),
    says: [/the witness cannot be written \(the API answered 40[0-9]/],
  },
  {
    name: "a pivot changed by hand",
    arrange: ({ lab }) => {
      const point = (content: string) => {
        lab.cloudflare.setRecord(lab.zone, {
          name: `active.${lab.zone}`,
          type: "CNAME",
          content,
          ttl: 60,
        });
      };
      point("elsewhere.example");
      return () => {
        point(`site-a.${lab.zone}`);
      };
    },
    says: [
      "active.shop.test answers elsewhere.example, not site-a.shop.test or site-b.shop.test",
      "pulumi up --refresh",
    ],
  },
];

export const WAYS: readonly LiveCase[] = [
  {
    name: "ssh where nobody listens",
    put: () => ({
      "sites.b.transport": {
        ssh: { host: "127.0.0.9", port: 9, user: "root", hostKeys: ["ssh-ed25519 AAAA"] },
      },
    }),
    says: [/site b was not reached \(.*127\.0\.0\.9.*[Rr]efused/, "mend the way to site b"],
  },
  {
    name: "the target cut off",
    arrange: ({ lab }) => {
      lab.b.cut();
      return () => {
        lab.b.mend();
      };
    },
    says: [
      "site b was not reached (site b: not reached, the lab has cut it off)",
      "or name the other site in activeSite",
    ],
  },
  {
    name: "the serving site cut off, and acceptance of an older epoch",
    arrange: ({ lab }) => {
      lab.a.cut();
      return () => {
        lab.a.mend();
      };
    },
    config: { acceptLoss: "1", acceptUnproven: "1" },
    says: [
      "nothing proves that it has stopped accepting writes",
      "config accepts epoch 1 (acceptLoss) and epoch 1 (acceptUnproven), which is another one",
      "pulumi config set acceptLoss 2",
      "pulumi config set acceptUnproven 2",
    ],
  },
  {
    name: "a replication password that the primary does not know",
    arrange: async (bench) => {
      const secret = "(select rolpassword from pg_authid where rolname = 'standby_replication')";
      const [row] = await bench.lab.a.cluster.query<{ old: string }>(`select ${secret} as old`);
      await bench.sql("a", "alter role standby_replication password 'another'");
      return () => bench.sql("a", `alter role standby_replication password '${row?.old ?? ""}'`);
    },
    says: [
      /cannot log in to site [ab] at 127\.0\.0\.[23]:[0-9]+ as standby_replication for replication/,
      "check pg_hba.conf, the firewall and ~/.pgpass",
    ],
    byStep: true,
  },
  {
    name: "no replication",
    arrange: async (bench) => {
      const undo = rewrite(
        data(bench, "a", "pg_hba.conf"),
        (text) => `host replication all all reject\n${text}`,
      );
      await bench.sql("a", "select pg_reload_conf()");
      await bench.sql("a", "select pg_terminate_backend(pid) from pg_stat_replication");
      return both(
        undo,
        () => bench.sql("a", "select pg_reload_conf()"),
        () => bench.streams(),
      );
    },
    put: () => ({ "limits.stepSeconds": 2 }),
    says: [
      "pg_hba.conf rejects replication connection",
      "site b: does not replay what site a writes",
      /read .*server\.log/,
    ],
    byStep: true,
  },
];
