import type { PhaseId } from "../../plan/terms";
import type { Cell, Scene } from "./cell";
import { proofCells } from "./proof";
import { beforeRow, emptyDisk, fillDisk, setting } from "./strikes";

/** Faults that belong to one place: the disk, a password, a slot, replay, a record, a hand. */

const single = (
  row: PhaseId,
  fault: string,
  make: Omit<Cell, "id" | "row" | "fault" | "transition">,
) =>
  ({
    id: `switchover/${row}/${fault}`,
    transition: "switchover",
    row,
    fault,
    ...make,
  }) satisfies Cell;

const disks: readonly Cell[] = (["drain", "fence", "verify", "promote", "settle"] as const).flatMap(
  (row) =>
    (["a", "b"] as const)
      .filter((site) => (site === "a" ? row !== "verify" && row !== "promote" : row !== "fence"))
      .map((site) =>
        single(row, `${site}-disk-full`, {
          expect: row === "settle" ? ["C"] : [row === "drain" && site === "a" ? "R" : "H"],
          hooks: beforeRow(row, (scene) => fillDisk(scene, site)),
          heal: (scene) => emptyDisk(scene, site),
        }),
      ),
);

const database: readonly Cell[] = [
  single("preflight", "wrong-password", {
    expect: ["X"],
    arrange: async ({ lane }) => {
      await lane.lab.a.query("alter role standby_replication password 'another'");
    },
    heal: async ({ lane }) => {
      await lane.lab.a.query(`alter role standby_replication password 'a ''password'''`);
    },
  }),
  single("preflight", "replay-paused", {
    expect: ["X"],
    arrange: async ({ lane }) => {
      await lane.lab.b.query("select pg_wal_replay_pause()");
    },
    heal: async ({ lane }) => {
      await lane.lab.b.query("select pg_wal_replay_resume()");
    },
  }),
  single("preflight", "apply-delay", {
    expect: ["X"],
    arrange: (scene) => setting(scene, "b", "set recovery_min_apply_delay = '10min'"),
    heal: (scene) => setting(scene, "b", "reset recovery_min_apply_delay"),
  }),
  single("preflight", "synchronous-commit-off", {
    expect: ["X"],
    arrange: (scene) => setting(scene, "a", "set synchronous_commit = off"),
    heal: (scene) => setting(scene, "a", "reset synchronous_commit"),
  }),
  single("promote", "synchronous-standby-named", {
    expect: ["C"],
    arrange: (scene) => setting(scene, "b", "set synchronous_standby_names = 'nobody'"),
  }),
  single("verify", "replay-paused", {
    expect: ["R"],
    hooks: beforeRow("fence", async ({ lane }) => {
      await lane.lab.b.query("select pg_wal_replay_pause()");
      return undefined;
    }),
    heal: async ({ lane }) => {
      await lane.lab.b.query("select pg_wal_replay_resume()");
    },
  }),
  single("fence", "slot-missing", {
    expect: ["C"],
    hooks: beforeRow("fence", async ({ lane }) => {
      await setting({ lane } as Scene, "b", "set primary_slot_name = ''");
      await lane.lab.a.query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active",
      );
      return undefined;
    }),
  }),
  single("rejoin", "slot-missing", {
    expect: ["C"],
    hooks: beforeRow("rejoin", async ({ lane }) => {
      await lane.lab.b.query("select pg_drop_replication_slot('standby_a')");
      return undefined;
    }),
  }),
];

/** Somebody logs in and does what seems right at three in the morning. */
const hands: readonly Cell[] = [
  single("announce", "pivot-edited", {
    expect: ["X"],
    arrange: ({ lane }) => {
      const name = `active.${lane.lab.zone}`;
      lane.lab.cloudflare.deleteRecord(lane.lab.zone, name);
      lane.lab.cloudflare.setRecord(lane.lab.zone, {
        name,
        type: "CNAME",
        content: "elsewhere.example",
        ttl: 60,
      });
      return Promise.resolve();
    },
    heal: ({ lane }) => {
      const name = `active.${lane.lab.zone}`;
      const content = `site-a.${lane.lab.zone}`;
      lane.lab.cloudflare.setRecord(lane.lab.zone, { name, type: "CNAME", content, ttl: 60 });
      return Promise.resolve();
    },
  }),
  single("witness", "witness-edited", {
    expect: ["C"],
    arrange: ({ lane }) => {
      const name = `_standby-shop.${lane.lab.zone}`;
      lane.lab.cloudflare.setRecord(lane.lab.zone, {
        name,
        type: "TXT",
        content: '"v=1 epoch=99 from=a to=b kind=switchover key=00000000 sig=x"',
        ttl: 60,
      });
      return Promise.resolve();
    },
  }),
  single("witness", "witness-deleted", {
    expect: ["C"],
    arrange: ({ lane }) => {
      lane.lab.cloudflare.deleteRecord(lane.lab.zone, `_standby-shop.${lane.lab.zone}`);
      return Promise.resolve();
    },
  }),
  ...(["verify", "promote", "serve", "rejoin"] as const).map((row) =>
    single(row, "started-by-hand", {
      expect: [row === "verify" ? "H" : "C"],
      hooks: beforeRow(row, async ({ lane }) => {
        await lane.lab.a.startServer();
        return undefined;
      }),
    }),
  ),
  single("verify", "killed-and-b-promoted-by-hand", {
    expect: ["C"],
    hooks: beforeRow("verify", () => ({ kind: "kill" })),
    heal: async ({ lane }) => {
      await lane.lab.b.query("select pg_promote()");
    },
  }),
  single("promote", "b-promoted-by-hand", {
    expect: ["C"],
    hooks: beforeRow("promote", async ({ lane }) => {
      await lane.lab.b.query("select pg_promote()");
      return undefined;
    }),
  }),
];

export const singleCells: readonly Cell[] = [...disks, ...database, ...hands, ...proofCells];
