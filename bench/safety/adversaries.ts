import { readFileSync } from "node:fs";
import { processesIn, signalProcess } from "../../lab/postgres/processes";
import { fakePrograms, Pair, type Outcome, type SiteId } from "../../lab/pair";
import { acceptedBy, type LooserRule } from "./looser";

/** What became of one case: every one is made so that promoting site b would lose writes or make two writers. */
export interface Verdict {
  /** Our own proof let it pass: a fault of the product. */
  readonly accepted: boolean;
  /** Looser rules that let it pass. */
  readonly fooled: readonly LooserRule[];
  /** What our verbs said. */
  readonly said: string;
}

export interface Adversary {
  readonly name: string;
  /** Gets a fresh pair, a serving, b streaming, with a table `ledger(n)`. */
  readonly run: (pair: Pair) => Promise<Verdict>;
}

/** Process of a cluster whose title holds a word. */
export function titled(pair: Pair, site: SiteId, word: string): number {
  const found = processesIn(pair.site(site).dataDirectory).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(word);
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`no ${word} at site ${site}`);
  return found;
}

type Lines = Record<string, string>;
const flip = (pair: Pair, epoch = 2): Lines => pair.epoch(epoch, "a", "b", "switchover");

/** The last two gates: a is still fenced by this run, and b holds everything. */
async function gates(pair: Pair, lines: Lines, token: string): Promise<readonly Outcome[]> {
  const fenced = await pair.verb("a", "fenced", { ...lines, token });
  const verify = await pair.verb("b", "verify", { value: "token", step_bound: 6, ...lines, token });
  return [fenced, verify];
}

function verdict(outcomes: readonly Outcome[], fooled: readonly LooserRule[]): Verdict {
  return {
    accepted: outcomes.every((one) => one.code === 0),
    fooled,
    said: outcomes.map((one) => one.stderr.split("\n")[0] ?? "").join(" | "),
  };
}

/** T1: b got all but the shutdown record, whose start is what others compare with. */
const cutBeforeStop: Adversary = {
  name: "link cut just before the stop",
  run: async (pair) => {
    const lines = flip(pair);
    const receiver = titled(pair, "b", "walreceiver");
    const cut = `"$real" "$@"; code=$?; sleep 0.5; kill -STOP ${receiver} 2>/dev/null; exit $code`;
    const bindir = fakePrograms(pair, { psql: cut });
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines, bindir });
    const fooled = await acceptedBy(await pair.a.controlData(), pair.b);
    return verdict(await gates(pair, lines, fence.facts.token ?? ""), fooled);
  },
};

/** 5.2: five fields are equal although a hundred acknowledged rows are missing. */
const uncleanStop: Adversary = {
  name: "unclean stop with equal checkpoints",
  run: async (pair) => {
    const lines = flip(pair);
    await pair.a.query("checkpoint");
    await caughtUp(pair);
    signalProcess(titled(pair, "a", "walsender"), "SIGSTOP");
    await pair.a.query("insert into ledger select from generate_series(1, 100)");
    await pair.a.kill();
    const fence = await pair.verb("a", "fence", { value: "stop", ...lines });
    const fooled = await acceptedBy(await pair.a.controlData(), pair.b);
    const rest = await gates(pair, lines, fence.facts.token ?? "-");
    return verdict([fence, ...rest], fooled);
  },
};

/** 5.3: a serves again after the token was made, and the token's positions are still true. */
const undone: Adversary = {
  name: "token of a fence that was taken back",
  run: async (pair) => {
    const lines = flip(pair);
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
    const claim = await pair.a.controlData();
    await pair.holds("a", "promote", { value: "resume", ...lines });
    await pair.a.query("insert into ledger select from generate_series(1, 5000)");
    const fooled = await acceptedBy(claim, pair.b);
    return verdict(await gates(pair, lines, fence.facts.token ?? ""), fooled);
  },
};

/** The same, and nobody asks a again: what b has received since must tell. */
const undoneUnasked: Adversary = {
  name: "token of a fence that was taken back, asked of b alone",
  run: async (pair) => {
    const lines = flip(pair);
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
    await pair.holds("a", "promote", { value: "resume", ...lines });
    await pair.a.query("insert into ledger select from generate_series(1, 5000)");
    await caughtUp(pair);
    const token = fence.facts.token ?? "";
    return verdict([await pair.verb("b", "verify", { value: "token", ...lines, token })], []);
  },
};

/** Changes one field of a true token, after writes that only a has. */
function forged(name: string, field: number, text: string): Adversary {
  return {
    name,
    run: async (pair) => {
      const lines = flip(pair);
      const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
      const parts = (fence.facts.token ?? "").split(",");
      const token = parts.map((old, at) => (at === field ? text : old)).join(",");
      const claim = new Map(await pair.a.controlData());
      if (field === 1) claim.set("Database system identifier", text);
      if (field === 2) claim.set("Latest checkpoint's TimeLineID", text);
      // Others carry no run and no hash: with true positions they accept whatever the rest says.
      const fooled = await acceptedBy(claim, pair.b);
      const verify = await pair.verb("b", "verify", {
        value: "token",
        step_bound: 6,
        ...lines,
        token,
      });
      return verdict([verify], fooled);
    },
  };
}

/** 5.4: asked to promote, not done yet; taking the fence back now would make two writers. */
const pendingPromotion: Adversary = {
  name: "undo while a promotion is pending",
  run: async (pair) => {
    const lines = flip(pair);
    const fence = await pair.holds("a", "fence", { value: "stop", ...lines });
    await gates(pair, lines, fence.facts.token ?? "");
    signalProcess(titled(pair, "b", "startup"), "SIGSTOP");
    await pair.verb("b", "promote", { value: "permit", step_bound: 2, ...lines });
    const revoke = await pair.verb("b", "revoke", lines);
    const resume =
      revoke.code === 0 ? await pair.verb("a", "promote", { value: "resume", ...lines }) : revoke;
    signalProcess(titled(pair, "b", "startup"), "SIGCONT");
    return { ...verdict([revoke, resume], []), accepted: revoke.code === 0 };
  },
};

/** 5.5: settings of an older life that promote a fenced server when it is started for the drain. */
const selfPromotion: Adversary = {
  name: "leftovers that let a fenced server promote itself",
  run: async (pair) => {
    await pair.a.query("alter system set recovery_target_time = '2001-01-01 00:00:00+00'");
    await pair.a.query("alter system set recovery_target_action = 'promote'");
    await pair.a.kill();
    const lines = pair.epoch(2, "a", "b", "failover");
    const fence = await pair.verb("a", "fence", { value: "dead", step_bound: 9, ...lines });
    const writers = await pair.writers();
    return { ...verdict([fence], []), accepted: writers > 0 };
  },
};

/** A stop that failed, and a standby that fetched nothing: a drain must not be believed. */
const frozenReceiver: Adversary = {
  name: "drain while the standby cannot fetch",
  run: async (pair) => {
    const lines = pair.epoch(2, "a", "b", "failover");
    await pair.a.query("checkpoint");
    await caughtUp(pair);
    signalProcess(titled(pair, "a", "walsender"), "SIGSTOP");
    await pair.a.query("insert into ledger select from generate_series(1, 100)");
    signalProcess(titled(pair, "b", "walreceiver"), "SIGSTOP");
    await pair.a.kill();
    const fooled = await acceptedBy(await pair.a.controlData(), pair.b);
    const fence = await pair.verb("a", "fence", { value: "dead", step_bound: 6, ...lines });
    const token = fence.facts.token ?? "-";
    const verify = await pair.verb("b", "verify", {
      value: "accepted",
      step_bound: 6,
      ...lines,
      token,
    });
    return verdict([verify], fooled);
  },
};

async function caughtUp(pair: Pair): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const [row] = await pair.a.query<{ same: boolean }>(
      "select replay_lsn = pg_current_wal_lsn() as same from pg_stat_replication where application_name = 'standby_b'",
    );
    if (row?.same === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("site b did not catch up");
}

/** Each must be refused. The list grows; it never shrinks. */
export const ADVERSARIES: readonly Adversary[] = [
  cutBeforeStop,
  uncleanStop,
  undone,
  undoneUnasked,
  forged("token of another system", 1, "7000000000000000001"),
  forged("token of another timeline", 2, "0"),
  forged("forged shutdown record", 5, "0".repeat(64)),
  forged("forged WAL tail", 7, "0".repeat(64)),
  forged("token of an older epoch", 8, "1"),
  forged("token of another run", 9, "1-other"),
  pendingPromotion,
  selfPromotion,
  frozenReceiver,
];
