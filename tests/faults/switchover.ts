import { PHASES, type PhaseId } from "../../plan/terms";
import type { FaultAct } from "../../lab/cloudflare/faults";
import type { Cell, Scene, Verdict } from "./cell";
import {
  beforeRow,
  comeBack,
  crash,
  cutLinks,
  failWrites,
  mendLinks,
  outdate,
  reboot,
  stepOf,
  unfollow,
} from "./strikes";

/** Every boundary of a switchover from a to b, under load. */

/** Two rows have nothing to do in a healthy pair; they get something. */
const arrangements: Partial<Record<PhaseId, (scene: Scene) => Promise<void>>> = {
  prepare: (scene) => Promise.resolve(outdate(scene, "b")),
  join: async (scene) => {
    await unfollow(scene, "b");
  },
};

type Make = Pick<Cell, "hooks" | "heal" | "then" | "expect" | "lives">;

function cell(row: PhaseId, fault: string, make: Make): Cell {
  const arrange = arrangements[row];
  return {
    id: `switchover/${row}/${fault}`,
    ...{ transition: "switchover", row, fault },
    ...(arrange === undefined ? {} : { arrange }),
    ...make,
  };
}

/** Rows at or after this one. */
function from(row: PhaseId, first: PhaseId): boolean {
  return PHASES.indexOf(row) >= PHASES.indexOf(first);
}

/** What may come of a fault that strikes just before this row, by the last thing that was done. */
function by(row: PhaseId, steps: Partial<Record<PhaseId, readonly Verdict[]>>): readonly Verdict[] {
  const known = PHASES.filter((phase) => steps[phase] !== undefined && from(row, phase));
  return steps[known.at(-1) ?? "preflight"] ?? ["C"];
}

const killed = (row: PhaseId): readonly Cell[] => [
  cell(row, "runner-killed-before", {
    expect: ["C"],
    hooks: beforeRow(row, () => ({ kind: "kill" })),
  }),
  cell(row, "runner-killed-during", {
    expect: ["C"],
    hooks: beforeRow(row, ({ pick }) => ({ kind: "killAfter", ms: 20 + pick(150) })),
  }),
  cell(row, "set-back-after-kill", {
    expect: ["C"],
    then: "a",
    hooks: beforeRow(row, () => ({ kind: "kill" })),
  }),
];

const crashed = (row: PhaseId): readonly Cell[] => [
  cell(row, "a-crash", {
    expect: by(row, { preflight: ["H"], promote: ["C"] }),
    hooks: beforeRow(row, async (scene) => {
      await crash(scene, "a");
      return undefined;
    }),
    heal: (scene) => comeBack(scene, "a"),
  }),
  cell(row, "b-crash", {
    expect: by(row, { preflight: ["X"], drain: ["H"] }),
    hooks: beforeRow(row, async (scene) => {
      await crash(scene, "b");
      return undefined;
    }),
    heal: (scene) => comeBack(scene, "b"),
  }),
];

const unreached = {
  a: { preflight: ["X"], prepare: ["R"], fence: ["H"], promote: ["C"] },
  b: { preflight: ["X"], drain: ["H"], serve: ["C"] },
} as const;

const cut = (row: PhaseId): readonly Cell[] => [
  cell(row, "a-b-link-cut", {
    expect: by(row, {
      ...{ preflight: ["X"], prepare: ["R"], join: ["X"], witness: ["R"] },
      // What the fence has waited for is at b already.
      verify: ["C"],
    }),
    hooks: beforeRow(row, cutLinks),
    heal: mendLinks,
  }),
  ...(["a", "b"] as const).map((site) =>
    cell(row, `runner-${site}-cut`, {
      expect: by(row, unreached[site]),
      lives: true,
      hooks: beforeRow(row, async ({ lane }) => {
        await lane.lab.sites[site].cut();
        return undefined;
      }),
      heal: async ({ lane }) => {
        await lane.lab.sites[site].mend();
      },
    }),
  ),
];

const apiFaults: Readonly<Record<string, FaultAct>> = {
  "api-429": { kind: "answer", status: 429, code: 971 },
  "api-500": { kind: "answer", status: 500, code: 10001 },
  "api-lost-answer": { kind: "commitThenDrop" },
  "api-hang": { kind: "hang" },
};

const dns = (["witness", "announce"] as const).flatMap((row) =>
  Object.entries(apiFaults).map(([fault, act]) =>
    cell(row, fault, {
      expect: row === "witness" ? ["X"] : ["C"],
      hooks: beforeRow(row, (scene) => {
        failWrites(scene, row === "witness" ? "TXT" : "CNAME", act);
        return undefined;
      }),
      heal: ({ lane }) => Promise.resolve(lane.lab.cloudflare.faults.clear()),
    }),
  ),
);

/** A second update begins while the first stands at this row; the first goes on when it has ended. */
const rival = (row: PhaseId): Cell =>
  cell(row, "second-update", {
    expect: ["C"],
    hooks: (scene) => {
      let once = false;
      return {
        before: async (step) => {
          if (once || !step.id.startsWith(stepOf(row))) return undefined;
          once = true;
          await scene.lane.drive({ activeSite: "b" });
          return undefined;
        },
      };
    },
  });

/** Both go on at once; lock and run id decide which of the two ends how. */
const together = (row: PhaseId): Cell =>
  cell(row, "second-update-at-once", {
    expect: ["C", "X", "R", "H"],
    hooks: (scene) => {
      let other: Promise<unknown> | undefined;
      return {
        before: async (step) => {
          if (step.id.startsWith(stepOf(row))) other ??= scene.lane.drive({ activeSite: "b" });
          else if (step.phase === "settle") await other;
          return undefined;
        },
        after: async (_step, code) => {
          if (code !== 0) await other;
          return undefined;
        },
      };
    },
  });

const restarted = {
  a: { drain: ["H"], promote: ["C"] },
  // Whether b streams again before the fence asks is a matter of milliseconds.
  b: { drain: ["C"], fence: ["C", "R"], verify: ["C"], serve: ["H"] },
} as const;

const rebooted = (["drain", "fence", "verify", "promote", "serve", "rejoin"] as const).flatMap(
  (row) =>
    (["a", "b"] as const).map((site) =>
      cell(row, `${site}-reboot`, {
        expect: by(row, restarted[site]),
        hooks: beforeRow(row, async (scene) => {
          await reboot(scene, site);
          return undefined;
        }),
      }),
    ),
);

/** Checkpoints of the verbs: the script at the site dies right there. */
const CHECKPOINTS: Partial<Record<PhaseId, readonly string[]>> = {
  drain: ["run-stored", "maintenance-marked", "stopped-worker", "stopped-web"],
  fence: ["run-stored", "before-signal", "signal-placed", "before-token"],
  verify: ["before-permit"],
  promote: ["permit-consumed", "promoted-stored"],
  serve: ["started-wave-1"],
  outside: ["maintenance-command-done"],
  rejoin: ["signal-placed", "before-follow"],
  settle: ["before-settled"],
};

const died = { drain: ["H"], serve: ["C"] } as const;

const checkpoints = PHASES.flatMap((row) =>
  (CHECKPOINTS[row] ?? []).map((checkpoint) =>
    cell(row, `verb-killed-at-${checkpoint}`, {
      // Before anything was marked, what was begun is taken for nothing.
      expect: checkpoint === "run-stored" && row === "drain" ? ["R"] : by(row, died),
      hooks: beforeRow(row, () => ({ kind: "failAt", checkpoint })),
    }),
  ),
);

export const switchoverCells: readonly Cell[] = [
  ...PHASES.flatMap((row) => [...killed(row), ...crashed(row), ...cut(row)]),
  ...dns,
  ...(["preflight", "witness", "fence", "promote", "settle"] as const).map(rival),
  ...(["drain", "fence", "promote"] as const).map(together),
  ...rebooted,
  ...checkpoints,
];
