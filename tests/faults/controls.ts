import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Step } from "../../plan/step";
import type { Scripts } from "../../plan/scripts";
import type { Cell, Scene } from "./cell";
import { spanningTheFork, startedInARewind } from "./returns";
import { crash, cutLinks, mendLinks } from "./strikes";
import {
  latePromotion,
  patch,
  servedBetween,
  sleepingPromotion,
  sleepy,
  standbyStuck,
  walDamaged,
} from "./proof";

/**
 * Negative controls: each breaks one rule of the hand-over, in the texts that the harness hands out or in the order in which
 * it runs the steps. A matrix that stays green here proves nothing.
 */

function control(
  name: string,
  caughtBy: RegExp,
  cell: Omit<Cell, "id" | "transition" | "fault" | "row">,
): Cell {
  return {
    ...cell,
    caughtBy,
    ...{ id: `control/${name}`, transition: "switchover", row: "fence", fault: name },
  };
}

/** Moves one step before another. */
function first(id: string, before: string): (steps: readonly Step[]) => readonly Step[] {
  return (steps) => {
    const moved = steps.filter((step) => step.id.startsWith(id));
    return steps.flatMap((step) =>
      step.id === before ? [...moved, step] : step.id.startsWith(id) ? [] : [step],
    );
  };
}

/** Promotes whoever asks. */
function withoutPermit(scripts: Scripts): Scripts {
  const bare = [
    "promote_with_permit() {",
    "  read_control",
    '  store promoted "$epoch $((own_tli + 1))"',
    "  ask_promotion",
    "}",
    "promote_as_it_was() {",
  ].join("\n");
  return patch(scripts, "postgres/promote", "promote_with_permit() {", bare);
}

const promoteBeforeFence = control("promote-before-fence", /^I1: two writers/, {
  expect: ["C"],
  scripts: withoutPermit,
  hooks: ({ load }) => ({
    order: first("promote", "fence"),
    after: async (step) => {
      if (step.id === "promote") await load.more(20);
      return undefined;
    },
  }),
});

const skipTheProof = control("proof-skipped", /^I2: .* lost/, {
  ...standbyStuck,
  expect: ["C"],
  scripts: (scripts) =>
    patch(
      scripts,
      "postgres/verify",
      "verify_token() {",
      'verify_token() {\n  read_token "$token" || :\n  tli=$token_tli loss=none\n  return 0',
    ),
});

const receiveForReplay = control("received-taken-for-replayed", /^I2: .* lost/, {
  ...walDamaged,
  expect: ["C"],
  scripts: (scripts) =>
    patch(
      scripts,
      "postgres/verify",
      "pg_last_wal_replay_lsn()",
      "greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())",
    ),
});

/** The older run's token stands for this one's. */
const tokenWithoutRun = control("token-without-run-id", /^I2: .* lost/, {
  ...servedBetween,
  expect: ["C"],
  scripts: (scripts) =>
    patch(
      patch(scripts, "postgres/verify", '|| [ "$token_run" != "$run" ]', ""),
      "postgres/fenced",
      '[ "$token_run" != "$run" ] || [ "$recalled" != "$run" ]',
      "false",
    ),
  again: ({ lane }: Scene) => ({
    before: (step) => {
      if (step.id !== "fence") return Promise.resolve(undefined);
      const token = readFileSync(join(lane.lab.a.folders.state, "token"), "utf8").trim();
      return Promise.resolve({ kind: "leaveOut", facts: { token } });
    },
  }),
});

const undoWithoutRevoke = control("undo-without-revoke", /^I1: two writers/, {
  ...latePromotion((step) => step.id === "fence"),
});

const announceBeforePromote = control("announce-before-promote", /^I4: the pivot moved before/, {
  expect: ["C"],
  hooks: () => ({
    order: first("pivot-", "promote"),
    before: async (step) => {
      if (step.id === "promote") await new Promise((resolve) => setTimeout(resolve, 300));
      return undefined;
    },
  }),
});

const lockDropped = control("lock-dropped", /^I1: two writers/, {
  ...sleepingPromotion,
  scripts: (scripts) => patch(sleepy(scripts), "lib", 'flock --wait "$lock_wait" 9 ||', ": ||"),
});

/** A site that holds writes of its own is made to follow as if it held none. */
const rejoinWithoutRewind = control("rejoin-without-rewind", /^I7: .* does not stream/, {
  expect: ["C"],
  flags: { activeSite: "b", acceptLoss: 4, acceptUnproven: 4 },
  arrange: async (scene) => {
    await cutLinks(scene);
    await scene.load.more(20);
    await crash(scene, "a");
  },
  heal: async (scene) => {
    await mendLinks(scene);
    await scene.lane.lab.a.mend();
  },
  scripts: (scripts) =>
    patch(
      patch(
        scripts,
        "postgres/rejoin",
        'if [ "$parted" = yes ]; then\n    follow_nobody',
        "if false; then",
      ),
      "postgres/rejoin",
      "prove_join() {",
      "prove_join() {\n  return 0",
    ),
});

const passages = (scripts: Scripts, name: string, pairs: readonly (readonly [string, string])[]) =>
  pairs.reduce((texts, [passage, by]) => patch(texts, name, passage, by), scripts);

/** What is half rewound keeps the name under which it is started. */
const rewindUnderServingName = control("rewind-under-the-serving-name", /^I1: two writers/, {
  ...startedInARewind,
  scripts: (scripts) =>
    passages(scripts, "postgres/rejoin", [
      [
        '  rename_folder "$data" "$data.rejoin"\n  checkpoint rewind-renamed',
        "  checkpoint rewind-renamed",
      ],
      ['--target-pgdata="$data.rejoin"', '--target-pgdata="$data"'],
      ['put_own_files "$data.rejoin"', 'put_own_files "$data"'],
    ]),
});

/** What was written before the fork and committed after it is left out. */
const deltaAfterFork = control("delta-from-after-the-fork-only", /^I3: .* lost/, {
  ...spanningTheFork,
  scripts: (scripts) =>
    patch(scripts, "postgres/delta", 'waldump "$scan_from"', 'waldump "$fork_text"'),
});

export const CONTROLS: readonly Cell[] = [
  promoteBeforeFence,
  skipTheProof,
  receiveForReplay,
  tokenWithoutRun,
  undoWithoutRevoke,
  rejoinWithoutRewind,
  rewindUnderServingName,
  deltaAfterFork,
  announceBeforePromote,
  lockDropped,
];
