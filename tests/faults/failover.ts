import type { PhaseId } from "../../plan/terms";
import type { Cell, Scene } from "./cell";
import { beforeRow, comeBack, crash, cutLinks, mendLinks, quiet, reboot } from "./strikes";

/** Site a is lost: its database alone, or the whole host. Then each boundary of the failover to b, and of a's return. */

const ROWS = [
  "preflight",
  "witness",
  "drain",
  "fence",
  "verify",
  "promote",
  "serve",
  "announce",
  "outside",
  "settle",
] as const satisfies readonly PhaseId[];

const losses = {
  "database-dead": async (scene: Scene) => {
    await scene.lane.lab.a.killServer();
  },
  "host-lost": (scene: Scene) => crash(scene, "a"),
};

/** The first run is refused and names what must be accepted; the second, with that, meets the fault. */
function failover(
  loss: keyof typeof losses,
  row: PhaseId,
  fault: string,
  make: Pick<Cell, "expect" | "heal" | "hooks"> & { readonly idle?: boolean },
): Cell {
  const { idle, ...rest } = make;
  return {
    id: `failover/${row}/${loss}-${fault}`,
    ...{ transition: "failover", row, fault: `${loss}, ${fault}` },
    ...rest,
    arrange: async (scene) => {
      if (idle === true) await quiet(scene, "a");
      await losses[loss](scene);
    },
    flags: { activeSite: "b", acceptLoss: 4, acceptUnproven: 4 },
  };
}

const killed = ROWS.flatMap((row) =>
  (["database-dead", "host-lost"] as const).map((loss) =>
    failover(loss, row, "runner-killed-before", {
      expect: ["C"],
      hooks: beforeRow(row, () => ({ kind: "kill" })),
    }),
  ),
);

const during = ROWS.map((row) =>
  failover("host-lost", row, "runner-killed-during", {
    expect: ["C"],
    hooks: beforeRow(row, ({ pick }) => ({ kind: "killAfter", ms: 20 + pick(150) })),
  }),
);

const unaccepted: readonly Cell[] = (["database-dead", "host-lost"] as const).map((loss) => {
  // A database that died on a host that answers is drained: nothing need be accepted.
  const expect = [loss === "database-dead" ? "C" : "H"] as const;
  const { flags: _, ...rest } = failover(loss, "preflight", "nothing-accepted", { expect });
  return rest;
});

const targetLost = (["verify", "promote", "serve"] as const).map((row) =>
  failover("host-lost", row, "b-reboot", {
    expect: ["C"],
    hooks: beforeRow(row, async (scene) => {
      await reboot(scene, "b");
      return undefined;
    }),
  }),
);

/** It comes back; nothing of its own stayed behind there, so it follows. */
function returned(
  row: PhaseId,
  fault: string,
  make: Pick<Cell, "expect" | "heal" | "hooks">,
): Cell {
  return {
    ...failover("host-lost", row, fault, { ...make, idle: true }),
    id: `rejoin/${row}/${fault}`,
    transition: "rejoin",
    fault,
    arrange: async (scene) => {
      await quiet(scene, "a");
      await crash(scene, "a");
      const { code, text } = await scene.lane.drive({
        activeSite: "b",
        acceptLoss: 4,
        acceptUnproven: 4,
      });
      if (code !== 0) throw new Error(`the failover did not end: ${text}`);
      await comeBack(scene, "a");
      await scene.load.more(20);
    },
  };
}

const rejoinRows = ["rejoin", "settle"] as const;
const rejoins: readonly Cell[] = [
  ...rejoinRows.flatMap((row) => [
    returned(row, "runner-killed-before", {
      expect: ["C"],
      hooks: beforeRow(row, () => ({ kind: "kill" })),
    }),
    returned(row, "runner-killed-during", {
      expect: ["C"],
      hooks: beforeRow(row, ({ pick }) => ({ kind: "killAfter", ms: 20 + pick(200) })),
    }),
    returned(row, "a-reboot", {
      expect: ["C"],
      hooks: beforeRow(row, async (scene) => {
        await reboot(scene, "a");
        return undefined;
      }),
    }),
  ]),
  returned("rejoin", "undisturbed", { expect: ["C"] }),
  returned("rejoin", "verb-killed-at-before-follow", {
    expect: ["C"],
    hooks: beforeRow("rejoin", () => ({ kind: "failAt", checkpoint: "before-follow" })),
  }),
  returned("rejoin", "a-b-link-cut", {
    expect: ["C"],
    hooks: beforeRow("rejoin", cutLinks),
    heal: mendLinks,
  }),
  returned("rejoin", "b-crash", {
    expect: ["H"],
    hooks: beforeRow("rejoin", async (scene) => {
      await crash(scene, "b");
      return undefined;
    }),
    heal: (scene) => comeBack(scene, "b"),
  }),
];

const returns: readonly Cell[] = (["database-dead", "host-lost"] as const).map((loss) =>
  failover(loss, "rejoin", "returns-under-load", {
    expect: ["C"],
    heal: (scene) => comeBack(scene, "a"),
  }),
);

export const failoverCells: readonly Cell[] = [
  ...killed,
  ...during,
  ...unaccepted,
  ...targetLost,
  ...rejoins,
  ...returns,
];
