import { firstZone, witnessName, type Desired } from "../desired";
import type { Observed, SiteFacts, SiteObserved } from "../observed";
import type { FactRef, Part, Step } from "../step";
import type { Scripts } from "../scripts";
import { factsOf, promotedIn } from "../newest";
import type { Decision } from "../transition";
import type { PhaseId, SiteId, StepState } from "../terms";

/** Everything a phase may look at. Built once a plan. */
export interface Context {
  readonly wish: Desired;
  readonly seen: Observed;
  readonly decision: Decision;
  readonly scripts: Scripts;
  /** The site that shall serve, and the other one. */
  readonly to: SiteId;
  readonly from: SiteId;
  readonly here: SiteObserved;
  readonly left: SiteObserved;
  /** The target recorded this epoch's promotion: from then on the only way is forward. */
  readonly promoted: boolean;
  /** Hash of what prepare leaves at a site; another hash means prepare has something to do. */
  readonly prepared: Readonly<Record<SiteId, string>>;
}

export function contextOf(
  wish: Desired,
  seen: Observed,
  decision: Decision,
  scripts: Scripts,
  prepared: Readonly<Record<SiteId, string>>,
): Context {
  const { from, to, epoch } = decision;
  return {
    wish,
    seen,
    decision,
    scripts,
    to,
    from,
    here: seen.sites[to],
    left: seen.sites[from],
    promoted: promotedIn(seen.sites[to], epoch),
    prepared,
  };
}

/** A step before its state is known: what it is, whether this transition has it, and what its effect looks like. */
export interface Draft {
  readonly step: Omit<Step, "state" | "note">;
  /** False: no part of this transition. */
  readonly has: boolean;
  /** Its own lasting effect, of this epoch, is seen. */
  readonly effect: boolean;
  /** Seen effects of this step prove that the steps before it (up to promote) are done too. */
  readonly proves?: boolean;
  /** Only this run's own act counts: done by nothing but the promotion. */
  readonly byRun?: boolean;
  /** Nothing else proves it: only its own effect counts. */
  readonly own?: boolean;
  /** Its effect cannot be seen (now), so it may run again and is never reported as unmet. */
  readonly fleeting?: boolean;
  /** Acts at rest as well: what it mends must not wait for the next transition. */
  readonly mends?: boolean;
  /** A site that is away, or a person, is needed. */
  readonly waiting?: string | undefined;
}

export interface Phase {
  readonly id: PhaseId;
  readonly steps: (context: Context) => readonly Draft[];
}

/** Lines that tell a site which transition this is. Absent from the verbs before the witness, so that nothing is announced early. */
export function epochLines(context: Context): Record<string, string> {
  const { epoch, from, to, kind } = context.decision;
  return { epoch: String(epoch), from, to, kind };
}

export function reached(site: SiteObserved): boolean {
  return site.reach === "up";
}

/** One part. `dial` follows from what was seen: a site that was not reached is named and left alone. */
export function part(
  context: Context,
  site: SiteId,
  verb: string,
  input: Readonly<Record<string, string>> = {},
  more: Partial<Part> = {},
): Part {
  return {
    site,
    verb,
    bound: context.wish.limits.stepSeconds,
    input,
    dial: reached(context.seen.sites[site]),
    ...more,
  };
}

/** The lines by which a site asks the authoritative servers for the witness. */
export function witnessLines(context: Context): Record<string, string> {
  const { wish } = context;
  return {
    zone: firstZone(wish),
    witness_name: witnessName(wish),
    servers: wish.dns.servers.join(" "),
    keys: wish.witnessKeys.map((key) => `${key.id}=${key.raw}`).join(" "),
    witness_bound: String(wish.guard.bound),
  };
}

/** The running guard's own line: poll, after and bound in milliseconds, and the isolation mode. */
export function guardLine(wish: Desired): Record<string, string> {
  const { poll, after, bound, isolation } = wish.guard;
  const times = [poll, after, bound].map((seconds) => Math.round(seconds * 1000));
  return { guard: `${times.join(" ")} ${isolation}` };
}

/** A step whose bound is the sum of its parts' and a margin for the way there. */
export function runStep(
  step: Pick<Step, "id" | "phase" | "title" | "why" | "undo"> & {
    readonly parts: readonly Part[];
    readonly undoParts?: readonly Part[];
    readonly wait?: number;
    readonly check?: readonly Part[];
    readonly needs?: readonly FactRef[];
  },
): Omit<Step, "state" | "note"> {
  const { parts, undoParts, wait, check, needs, ...rest } = step;
  const seconds = [...parts, ...(undoParts ?? [])].reduce((sum, one) => sum + one.bound, 0);
  return {
    ...rest,
    bound: seconds + (wait ?? 0) + 10,
    needs: needs ?? [],
    act: {
      kind: "run",
      parts,
      ...(wait === undefined ? {} : { wait }),
      ...(undoParts === undefined ? {} : { undo: undoParts }),
    },
    check: check ?? [],
  };
}

/** A read-only part that states what must hold at the goal. */
export function checkPart(context: Context, site: SiteId, value: string): Part {
  return part(context, site, "postgres/check", { value }, { bound: 20 });
}

/** Facts of both sites that were reached. */
export function reachedFacts(context: Context): readonly SiteFacts[] {
  return [factsOf(context.here), factsOf(context.left)].filter((facts) => facts !== undefined);
}

export type StateOf = { readonly state: StepState; readonly note?: string };
