import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findPostgres } from "../../lab/postgres/programs";
import type { InputBench } from "./bench";
import type { LiveCase } from "./liveCase";
import { foreignReceiver, hostWith, hostWithout, rewrite } from "./surroundings";

/** A major that the bench does not run. */
const OTHER = findPostgres().version - 1;

/** What can be wrong at a site: its host and its database. */

const state = (bench: InputBench, site: "a" | "b", file: string) =>
  join(bench.lab.sites[site].cluster.stateDirectory, file);
const data = (bench: InputBench, site: "a" | "b", file: string) =>
  join(bench.lab.sites[site].cluster.dataDirectory, file);
export const HOSTS: readonly LiveCase[] = [
  {
    name: "no PostgreSQL at the target",
    arrange: ({ lab }) => {
      mkdirSync(join(lab.dir, "nothing"), { mode: 0o755, recursive: true });
      return () => undefined;
    },
    put: ({ lab }) => ({ "sites.b.postgres.binDirectory": join(lab.dir, "nothing") }),
    says: [
      "site b: psql, pg_ctl, pg_controldata, pg_waldump, pg_basebackup not found",
      "install at site b: ",
    ],
  },
  {
    name: "another major version at the target",
    arrange: (bench) => rewrite(data(bench, "b", "PG_VERSION"), () => `${OTHER}\n`),
    says: [
      `site b: the data is of PostgreSQL ${OTHER}, the programs of ${OTHER + 1}`,
      `site b runs PostgreSQL ${OTHER}, site a ${OTHER + 1}`,
    ],
  },
  {
    name: "no flock, dig and openssl",
    put: (bench) => ({
      "sites.b.transport": { wrap: [hostWithout(bench, "b", ["flock", "dig", "openssl"])] },
    }),
    says: [
      "site b: flock, dig, openssl not found",
      "util-linux (flock), coreutils (timeout, sync), bind9-dnsutils (dig), openssl",
    ],
  },
  {
    name: "no timeout",
    put: (bench) => ({ "sites.b.transport": { wrap: [hostWithout(bench, "b", ["timeout"])] } }),
    says: ["timeout is not found on this host"],
  },
  {
    name: "a clock five minutes ahead",
    put: (bench) => {
      const text = '#!/bin/sh\nexec /bin/date --date="+5 minutes" "$@"\n';
      return { "sites.b.transport": { wrap: [hostWith(bench, "b", "date", text)] } };
    },
    says: [/the clocks of sites a and b are (299|30[0-9]) s apart/, "set both clocks"],
  },
  {
    name: "records of one epoch that differ",
    arrange: (bench) =>
      rewrite(state(bench, "b", "record"), () => "epoch=1 from=a to=b kind=failover\n"),
    says: ["epoch 1 is recorded twice: ", "two stacks may drive this pair"],
  },
  {
    name: "an empty target",
    put: ({ lab }) => ({ "sites.b.postgres.dataDirectory": join(lab.dir, "empty", "data") }),
    says: ["site b holds no database yet", "pulumi config set activeSite a"],
  },
];

export const DATABASES: readonly LiveCase[] = [
  {
    name: "replay paused by hand, and more lag than the limit",
    arrange: async (bench) => {
      await bench.sql("b", "select pg_wal_replay_pause()");
      await bench.sql(
        "a",
        "create table if not exists filler as select n from generate_series(1, 1000) as n",
      );
      return () => bench.sql("b", "select pg_wal_replay_resume()");
    },
    put: () => ({ "limits.lagBytes": 1000 }),
    says: [
      /site b: replay is paused at [0-9A-F]+\/[0-9A-F]+/,
      "SELECT pg_wal_replay_resume() at site b",
      /site b is [0-9]{4,} bytes behind site a, over the limit of 1000/,
      "or raise limits.lagBytes",
    ],
  },
  {
    name: "a delay of replay",
    arrange: (bench) => bench.set("b", "recovery_min_apply_delay", "5min"),
    says: ["site b: recovery_min_apply_delay is 5min", "recovery_min_apply_delay = 0"],
  },
  {
    name: "what a recovery left behind",
    arrange: (bench) => bench.set("b", "recovery_target_name", "before"),
    says: ["site b: recovery settings are left over (recovery_target_name)", "ALTER SYSTEM RESET"],
  },
  {
    name: "synchronous_commit off",
    arrange: (bench) => bench.set("a", "synchronous_commit", "off"),
    says: [
      "site a: synchronous_commit is off (0 overrides",
      "set synchronous_commit to local or on",
    ],
  },
  {
    name: "synchronous_commit off for one role",
    arrange: async (bench) => {
      await bench.sql(
        "a",
        "create role careless; alter role careless set synchronous_commit = off",
      );
      return () => bench.sql("a", "drop role careless");
    },
    says: ["(1 overrides by role or database)", "pg_db_role_setting"],
  },
  {
    name: "one archive for both",
    arrange: (bench) => bench.set("b", "archive_command", "true # a"),
    says: ["both sites archive WAL by the same command", "give each site an archive of its own"],
  },
  {
    name: "somebody else who streams",
    arrange: (bench) => foreignReceiver(bench, "a"),
    says: [
      "replicates from it and is not of this pair",
      "add to database.postgres.followers: { name: ",
    ],
  },
];
