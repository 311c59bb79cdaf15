import { randomBytes } from "node:crypto";
import type { Desired } from "../../plan/desired";
import { parseFacts, type Observed } from "../../plan/observed";
import { plan as makePlan, type Plan } from "../../plan/plan";
import { commandOf } from "../../plan/render/command";
import { refusalText } from "../../plan/render/preview";
import type { Scripts } from "../../plan/scripts";
import type { Step } from "../../plan/step";
import { EXIT, SITE_IDS } from "../../plan/terms";
import { observePivots, observeWitness } from "../../sites/nameServers";
import { observeSites } from "../../sites/observe";
import { runCommand } from "../../sites/run";
import type { CellLab } from "../place";
import { recordOf, writable, writeRecord } from "./records";
import { Session } from "./survivors";

/**
 * One update without an engine: look, plan, then each step's own command text, in the plan's order. It differs from the
 * real thing in one way only: between two steps there is nobody but the test.
 */

/** What happens to a run at one step. */
export type Interference =
  /** The run ends here, as by SIGKILL. */
  | { readonly kind: "kill" }
  /** SIGKILL to the runner some milliseconds after the step's start; what runs at the sites goes on. */
  | { readonly kind: "killAfter"; readonly ms: number }
  /** The verb kills itself at this checkpoint of its own. */
  | { readonly kind: "failAt"; readonly checkpoint: string }
  /** The step is left out; `facts` stand for what it would have said. */
  | { readonly kind: "leaveOut"; readonly facts?: Readonly<Record<string, string>> };

/** What every step of a run is told. */
export interface Told {
  readonly plan: Plan;
  readonly run: string;
}

/** Where a test reaches into a run. */
export interface DriveHooks {
  /** Before a step that is to be done. */
  readonly before?: (step: Step, told: Told) => Promise<Interference | undefined>;
  /** After a step, with its exit code. */
  readonly after?: (step: Step, code: number) => Promise<Interference | undefined>;
  /** Another order of the steps to be done: for negative controls only. */
  readonly order?: (steps: readonly Step[]) => readonly Step[];
}

/** How a run ended. */
export interface Drive {
  readonly plan: Plan;
  readonly seen: Observed;
  readonly run: string;
  /** Exit code: of the step that failed, 75 or 77 of a refused plan, 0, or undefined when the run was killed. */
  readonly code: number | undefined;
  /** True: refused before the first step. */
  readonly refused: boolean;
  /** Steps that were begun. */
  readonly begun: readonly string[];
  /** What was told to people: refusals, notes of waiting steps, standard error of the steps. */
  readonly text: string;
}

/** Sessions that a killed run left behind; {@link Driver.end} ends them. */
export class Driver {
  readonly #sessions = new Set<Session>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(
    readonly lab: CellLab,
    private readonly password: string,
  ) {}

  /** Looks at both sites and at DNS. */
  async look(wish: Desired, scripts: Scripts): Promise<Observed> {
    const [sites, witness, pivots, api] = await Promise.all([
      observeSites(wish, scripts),
      observeWitness(wish),
      observePivots(wish),
      writable(this.lab),
    ]);
    return { sites, dns: { witness, pivots, ...api } };
  }

  /** One update. Never rejects because of what a site or the API says. */
  async drive(wish: Desired, scripts: Scripts, hooks: DriveHooks = {}): Promise<Drive> {
    const seen = await this.look(wish, scripts);
    const plan = makePlan(wish, seen, scripts);
    const run = runId(seen);
    const notes = plan.warnings.join("\n");
    const told = { plan, seen, run };
    if (plan.refusals.length > 0) {
      const code = plan.refusals.every((one) => one.later) ? EXIT.later : EXIT.refused;
      return { ...told, code, refused: true, begun: [], text: refusalText(plan) };
    }
    const ended = await this.#steps(wish, scripts, hooks, told);
    return { ...told, ...ended, refused: false, text: `${ended.text}${notes}` };
  }

  /** A step of an older run arrives late, as from an ssh session that outlived its runner. Gives its exit code. */
  async late(step: Step, told: Told, wish: Desired, scripts: Scripts): Promise<number | undefined> {
    return (await this.#step(step, wish, scripts, told, new Map(), undefined)).code;
  }

  /** Ends what killed runs left running, here and at the sites. */
  async end(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.end()));
    this.#sessions.clear();
    await Promise.allSettled([...this.#running]);
  }

  async #steps(
    wish: Desired,
    scripts: Scripts,
    hooks: DriveHooks,
    told: Told,
  ): Promise<{ code: number | undefined; begun: readonly string[]; text: string }> {
    const todo = told.plan.steps.filter((step) => step.state === "todo");
    const facts = new Map<string, Readonly<Record<string, string>>>();
    const begun: string[] = [];
    let text = "";
    for (const step of hooks.order?.(todo) ?? todo) {
      const act = await hooks.before?.(step, told);
      if (act?.kind === "kill") return { code: undefined, begun, text };
      if (act?.kind === "leaveOut") {
        facts.set(step.id, act.facts ?? {});
        continue;
      }
      begun.push(step.id);
      const outcome = await this.#step(step, wish, scripts, told, facts, act);
      text += outcome.text;
      if (outcome.code === undefined) return { code: undefined, begun, text };
      const after = await hooks.after?.(step, outcome.code);
      if (after?.kind === "kill") return { code: undefined, begun, text };
      if (outcome.code !== 0) return { code: outcome.code, begun, text };
      facts.set(step.id, outcome.facts);
    }
    return { code: EXIT.holds, begun, text };
  }

  async #step(
    step: Step,
    wish: Desired,
    scripts: Scripts,
    told: Told,
    facts: ReadonlyMap<string, Readonly<Record<string, string>>>,
    act: Interference | undefined,
  ): Promise<{ code: number | undefined; facts: Record<string, string>; text: string }> {
    if (step.act.kind === "record") return this.#record(step, wish, act);
    const lines = step.needs.map(({ fact, of }) => `${fact}=${facts.get(of)?.[fact] ?? ""}`);
    const secret = step.act.parts.some((part) => part.secret === true && part.dial);
    const session = new Session();
    this.#sessions.add(session);
    const environment = act?.kind === "failAt" ? { FAIL_AT: act.checkpoint } : {};
    const running = runCommand(
      session.wrap(commandOf(step, wish, scripts, "act"), environment),
      {
        ...{ run: told.run, digest: told.plan.digest, facts: lines.join("\n") },
        secret: secret ? `password=${this.password}` : "",
      },
      step.bound + 30,
    );
    this.#running.add(running);
    if (act?.kind === "killAfter") {
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, act.ms))]);
      await session.killRunner();
      return { code: undefined, facts: {}, text: "" };
    }
    const { code, stdout, stderr } = await running;
    session.discard();
    this.#sessions.delete(session);
    return { code: code ?? 124, facts: parseFacts(stdout), text: stderr };
  }

  async #record(
    step: Step,
    wish: Desired,
    act: Interference | undefined,
  ): Promise<{ code: number | undefined; facts: Record<string, string>; text: string }> {
    if (step.act.kind !== "record") throw new Error(`${step.id} writes no record`);
    try {
      await writeRecord(this.lab, recordOf(step.act, wish, this.lab.witnessKey));
      // The API has committed; whoever is killed now has lost the answer.
      return { code: act?.kind === "killAfter" ? undefined : EXIT.holds, facts: {}, text: "" };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const hint = "run pulumi up again when the API answers.";
      return { code: 1, facts: {}, text: `${step.id}: not written: ${why}\nHINT: ${hint}\n` };
    }
  }
}

function runId(seen: Observed): string {
  const numbers = SITE_IDS.map((site) => {
    const facts = seen.sites[site];
    return facts.reach === "up" ? Number(facts.run?.split("-")[0] ?? 0) : 0;
  });
  return `${Math.max(0, ...numbers) + 1}-${randomBytes(4).toString("hex")}`;
}
