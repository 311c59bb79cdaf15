import { otherSite, type SiteId } from "../../plan/terms";
import type { Drive } from "../../lab/driver/drive";
import type { DriverFlags } from "../../lab/driver/wish";
import { until } from "../../lab/postgres/processes";
import { collect, unchanged, writers, type Evidence } from "./evidence";
import { neverTwo, violations } from "./invariants";
import type { Cell, Scene, Verdict } from "./cell";
import type { Lane } from "./lane";
import { Load } from "./load";
import { lacking, typedOf, type Typed } from "./typed";

/** What became of a cell. */
export interface CellResult {
  readonly id: string;
  readonly verdict: Verdict | "-";
  /** Invariants and expectations that did not hold; empty is green. */
  readonly red: readonly string[];
  readonly seconds: number;
  /** Of a negative control: found, and by the violation that it is about. */
  readonly caught?: boolean;
  /** Updates until the goal was reached, the first one included. */
  readonly updates: number;
  /** What happened, in a line. */
  readonly story: string;
}

/** Restores the pair, loads it, strikes, runs again until the goal, runs once more, judges. Never rejects. */
export async function runCell(lane: Lane, cell: Cell, seed: number): Promise<CellResult> {
  const began = Date.now();
  const told = (result: Omit<CellResult, "id" | "seconds">): CellResult => ({
    id: cell.id,
    ...result,
    seconds: (Date.now() - began) / 1000,
  });
  let load: Load | undefined;
  try {
    await lane.restore();
    load = await Load.start(lane.lab);
    return told(await new Play(cell, { lane, load, pick: picker(seed) }).run());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return told({ verdict: "-", red: [why], updates: 0, story: "the cell broke off" });
  } finally {
    await load?.stop();
  }
}

/** A small generator (mulberry32): the same seed, the same delays. */
function picker(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Updates until the goal, the waiting for a server's own recovery included. A hold ends with what was printed, or is none. */
const MOST_UPDATES = 5;
const MOST_AFTER_HOLD = 3;
/** A breakage need not be carried to its end. */
const MOST_BROKEN = 2;

function mostUpdates({ caughtBy }: Cell, verdict: Verdict): number {
  if (caughtBy !== undefined) return MOST_BROKEN;
  return verdict === "H" ? MOST_AFTER_HOLD : MOST_UPDATES;
}

class Play {
  #flags: DriverFlags;
  #updates = 0;
  #last: Drive | undefined;
  /** What the last message told to type, as far as it was not typed yet. */
  #typed: Typed = [];
  readonly #red: string[] = [];
  readonly #story: string[] = [];

  constructor(
    private readonly cell: Cell,
    private readonly scene: Scene,
  ) {
    this.#flags = cell.flags ?? { activeSite: "b" };
  }

  async run(): Promise<Omit<CellResult, "id" | "seconds">> {
    const { cell, scene } = this;
    const { lane, load } = scene;
    await cell.arrange?.(scene);
    const before = await collect(lane.lab);
    const changesBefore = before.changes;
    const first = await this.#drive(cell.hooks?.(scene));
    const verdict = await this.#verdict(first, before);
    if (verdict === "H") await this.#hold(first);
    await cell.heal?.(scene);
    if (cell.then !== undefined) this.#flags = { activeSite: cell.then };
    this.#typed = [];
    await this.#converge(mostUpdates(cell, verdict));
    const goal = this.#flags.activeSite;
    await this.#oneMore(goal);
    await load.stop();
    const ending = {
      ...{ goal, before, changesBefore, after: await collect(lane.lab) },
      lossAccepted: this.#flags.acceptLoss !== undefined,
      standbyWaits: this.#waits(),
      servicesNamed: /^serve: /m.test(this.#last?.text ?? ""),
    };
    this.#red.push(...(await violations(lane.lab, load, ending)));
    this.#expectVerdict(verdict);
    return this.#result(verdict);
  }

  #result(verdict: Verdict): Omit<CellResult, "id" | "seconds"> {
    const by = this.cell.caughtBy;
    const hits = by === undefined ? [] : this.#red.filter((one) => by.test(one));
    const red = [...hits, ...this.#red.filter((one) => !hits.includes(one))];
    const caught = by === undefined ? {} : { caught: hits.length > 0 };
    return { verdict, red, updates: this.#updates, story: this.#story.join("; "), ...caught };
  }

  #expectVerdict(verdict: Verdict): void {
    const { expect } = this.cell;
    if (!expect.includes(verdict)) {
      this.#red.push(`verdict ${verdict}, expected ${expect.join(" or ")}`);
    }
  }

  async #drive(hooks: Parameters<Lane["drive"]>[1] = {}): Promise<Drive> {
    const { lane } = this.scene;
    const scripts = this.cell.scripts?.(lane.scripts) ?? lane.scripts;
    const drive = await lane.drive(this.#flags, hooks, scripts);
    this.#updates += 1;
    this.#last = drive;
    this.#story.push(describe(drive));
    return drive;
  }

  async #verdict(first: Drive, before: Evidence): Promise<Verdict> {
    if (first.code === undefined || first.code === 0) return "C";
    const now = await collect(this.scene.lane.lab);
    if (first.refused) {
      this.#red.push(...unchanged(before, now, "I6: refused, but"));
      return writers(now).length > 0 ? "X" : "H";
    }
    const { from, to } = first.plan;
    if (now[to].writable === true) return "C";
    if (now[from].writable !== true) return "H";
    if (now[from].state["maintenance"] === "" && now[from].services === 2) {
      const before = ["preflight", "prepare", "join", "witness", "seen"];
      return first.begun.every((id) => before.includes(id)) ? "X" : "R";
    }
    return "H";
  }

  /**
   * While the fault lasts the hold stays and says what ends it. Where that is a command and not a mend, it is typed now, as
   * printed, and must end the hold.
   */
  async #hold(first: Drive): Promise<void> {
    this.#mustTell(first);
    const again = await this.#drive();
    this.#red.push(...neverTwo(this.scene.load));
    if (again.code === 0) return;
    this.#mustTell(again);
    if (this.cell.lives === true) return;
    const typed = typedOf(again.text, true);
    if (!typed.some((one) => one.acceptLoss !== undefined || one.acceptUnproven !== undefined))
      return;
    this.#typed = typed;
    await this.#converge(MOST_AFTER_HOLD);
  }

  #mustTell({ text }: Drive): void {
    this.#red.push(...lacking(text).map((what) => `a hold ${what}: ${text.slice(0, 300)}`));
  }

  /** Up to the goal: an update, and what its message told to type. */
  async #converge(most: number): Promise<void> {
    for (let turn = 0; turn < most; turn += 1) {
      const [settings, ...rest] = this.#typed;
      this.#typed = rest;
      this.#flags = { ...this.#flags, ...settings };
      const hooks = turn === 0 ? this.cell.again?.(this.scene) : undefined;
      const { code, text, begun, plan } = await this.#drive(hooks);
      if (code === 0) {
        if (begun.includes("rejoin")) await this.#joined(plan.from);
        if (rest.length === 0) return;
        continue;
      }
      this.#typed = typedOf(text, this.cell.heal === undefined);
      if (code === 75) await new Promise((resolve) => setTimeout(resolve, 300));
    }
    this.#red.push(`I5: no end after ${this.#updates} updates: ${this.#last?.text.slice(0, 600)}`);
  }

  /** I7: an update that made a standby and ended well has one. */
  async #joined(site: SiteId): Promise<void> {
    await this.scene.lane
      .streams(site, 3000)
      .catch(() => this.#red.push(`I7: site ${site} was made the standby and does not stream`));
  }

  /** I5: one more update changes nothing. */
  async #oneMore(goal: SiteId): Promise<void> {
    const { lane, load } = this.scene;
    const evidence = await collect(lane.lab);
    if (evidence[goal].writable === true) await load.more(20);
    await this.#replays(goal);
    const before = await collect(lane.lab);
    const third = await this.#drive();
    if (third.code !== 0) this.#red.push(`I5: one more update ended with ${String(third.code)}`);
    if (third.begun.length > 0) this.#red.push(`I5: one more update did ${third.begun.join(" ")}`);
    this.#red.push(...unchanged(before, await collect(lane.lab), "I5: one more update, and"));
  }

  /** I7: the standby's replay passes a position that the primary writes now. */
  async #replays(goal: SiteId): Promise<void> {
    if (this.#waits()) return;
    const { sites } = this.scene.lane.lab;
    const rows = await sites[goal]
      .query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn")
      .catch(() => []);
    const lsn = rows[0]?.lsn;
    if (lsn === undefined) return;
    const standby = sites[otherSite(goal)];
    await until("the standby replays", 5000, async () => {
      const done = await standby
        .query<{ passed: boolean }>(`select pg_last_wal_replay_lsn() >= '${lsn}' as passed`)
        .catch(() => []);
      return done[0]?.passed === true;
    }).catch(() => this.#red.push("I7: the standby's replay does not advance"));
  }

  #waits(): boolean {
    const step = this.#last?.plan.steps.find(({ id }) => id === "rejoin");
    return step?.state === "waiting";
  }
}

function describe({ plan, code, refused, begun }: Drive): string {
  const end = code === undefined ? "killed" : refused ? `refused ${code}` : String(code);
  const codes = refused ? ` (${plan.refusals.map((one) => one.code).join(" ")})` : "";
  const last = begun.at(-1) ?? "nothing to do";
  return `${plan.transition} ${plan.epoch}: ${refused ? "" : `${last} `}${end}${codes}`;
}
