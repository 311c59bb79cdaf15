import type { PhaseId, SiteId, StepState } from "./terms";

/**
 * A step is readonly data: what is to be done, why, for how long at most, and by which parts.
 * Checklist, preview, resources and report all read this one shape.
 */

/** One verb on one site. */
export interface Part {
  readonly site: SiteId;
  /** Folder and file below scripts/, such as `postgres/fence`. */
  readonly verb: string;
  /** Time bound at the site, in seconds. */
  readonly bound: number;
  /** Lines the verb reads besides the site's own settings. */
  readonly input: Readonly<Record<string, string>>;
  /** Lines that depend on what was seen. The verb reads them; the digest does not cover them. */
  readonly seen?: Readonly<Record<string, string>>;
  /**
   * The only facts that it is told, each under the name of an input line: `{ value_lsn: "lsn" }`. An earlier part of this step
   * gives it, or the step needs it.
   */
  readonly take?: Readonly<Record<string, string>>;
  /**
   * Facts that others build on, and that no other part is believed. When one is not heard although the part ended well, the
   * part counts as "try later". Not for a part that runs beside another.
   */
  readonly gives?: readonly string[];
  /** False: the site is known to be out of reach, or the part has nothing to do there; it is named, not dialled. */
  readonly dial: boolean;
  /** True: also needs the replication password. */
  readonly secret?: boolean;
  /** The part's failure does not fail the step; it is reported. */
  readonly optional?: boolean;
  /**
   * Runs at the same time as the next part, with which it shares no fact; both must succeed. When it fails nothing is undone,
   * whatever the next part did: the next run looks first.
   */
  readonly beside?: boolean;
  /**
   * Nothing that may outlive it holds its output (it runs no command of the user's), so that goes straight back, without files
   * at the site. For the outage.
   */
  readonly plain?: boolean;
}

/** A fact that an earlier step's output holds. A step names it and never closes over it. */
export interface FactRef {
  readonly fact: string;
  readonly of: string;
}

export type Act =
  | {
      readonly kind: "run";
      readonly parts: readonly Part[];
      /** Seconds the runner itself waits first, for a guard that cannot be asked. */
      readonly wait?: number;
      /** Run in order when a part refuses or must wait; then the step ends as refused. */
      readonly undo?: readonly Part[];
    }
  | {
      readonly kind: "record";
      readonly zone: string;
      readonly name: string;
      readonly type: "TXT" | "CNAME";
      /** What it will say; the witness's signature is added by the program. */
      readonly content: string;
      /** What the servers answer now. */
      readonly live: string;
      /** Name of the claim that must be won before it is written: only where the step opens its epoch. */
      readonly claim?: string;
    };

export interface Step {
  /** Stable: names the resource. Never a site, never what is left to do. */
  readonly id: string;
  readonly phase: PhaseId;
  readonly title: string;
  readonly why: string;
  readonly state: StepState;
  /** The reason of a state other than todo. */
  readonly note?: string;
  /** Time bound of the whole step, in seconds. */
  readonly bound: number;
  readonly needs: readonly FactRef[];
  /** What it does when it is todo. The digest covers it in every state. */
  readonly act: Act;
  /** What may run when it is not todo: read-only parts. */
  readonly check: readonly Part[];
  /** What takes it back, in words. */
  readonly undo: string;
}

export type RecordAct = Extract<Act, { readonly kind: "record" }>;

/** Something that stops a plan before anything is touched. */
export interface Refusal {
  readonly code: string;
  /** Name, numbers. */
  readonly what: string;
  /** The next act, exact. */
  readonly hint: string;
  /** True: the same command may succeed later without any change by a person. */
  readonly later?: boolean;
}
