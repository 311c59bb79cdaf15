/**
 * What the lab engine has to know of one type of resource: the part of a provider plug-in that the
 * bench needs. Inputs and outputs come and go without secret marks; the engine puts them back.
 */
import { Props } from "../values";

/** What an act may use, and must obey. */
export interface Act {
  /** The resource's name, for ids. */
  readonly name: string;
  /** Environment of the commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder of the program: where a command without `dir` runs. */
  readonly cwd: string;
  /** Aborted by one Ctrl-C. */
  readonly signal: AbortSignal;
  /** The configuration of the provider resource this resource uses. */
  readonly provider: Props;
  /** Says something to the person who watches. */
  readonly log: (message: string) => void;
}

/** What a change of inputs means. */
export interface Change {
  /** Top-level names, sorted; empty = nothing to do. */
  readonly reasons: readonly string[];
  /** Those of them that need a replacement. */
  readonly replace: readonly string[];
  /** Leaves, where the real provider tells them. */
  readonly detailed?: ReadonlyMap<string, "add" | "update" | "delete">;
}

/** A resource as the provider sees it. */
export interface Live {
  readonly id: string;
  readonly inputs: Props;
  readonly outputs: Props;
}

/** One type of resource. */
export interface Kind {
  /** Outputs that are secret whatever the program says. */
  readonly secrets: readonly string[];
  /** Whether a value that becomes secret, and nothing else, is a change. */
  readonly secretnessCounts: boolean;
  /** @throws Error with the issue when the inputs cannot be used. */
  check(inputs: Props): Props;
  diff(before: Props, after: Props): Change;
  /** Outputs that a preview can promise; what it leaves out is unknown. */
  plan(inputs: Props, before: Live | undefined): Props;
  create(inputs: Props, act: Act): Promise<{ id: string; outputs: Props }>;
  update(live: Live, inputs: Props, act: Act): Promise<Props>;
  delete(live: Live, act: Act): Promise<void>;
  /** The live resource, or undefined when it is gone. Without it, a refresh changes nothing. */
  read?(id: string, known: Props, act: Act): Promise<Live | undefined>;
}

/** A function of a provider, such as getZone. */
export type Invoke = (args: Props, act: Act) => Promise<Props>;
