import type { PhaseId, SiteId } from "../../plan/terms";
import type { Scripts } from "../../plan/scripts";
import type { DriveHooks } from "../../lab/driver/drive";
import type { DriverFlags } from "../../lab/driver/wish";
import type { Lane } from "./lane";
import type { Load } from "./load";

/**
 * C: the next update carries on to the goal. X: refused, nothing was changed. R: rolled back, the old site serves.
 * H: safe hold, no site accepts writes (or the application is off) and the message says what ends it.
 */
export type Verdict = "C" | "X" | "R" | "H";

/** What a cell's fault may use. */
export interface Scene {
  readonly lane: Lane;
  readonly load: Load;
  /** A number from the seed, 0 <= n < below. */
  readonly pick: (below: number) => number;
}

/** One boundary and one fault. */
export interface Cell {
  readonly id: string;
  readonly transition: "switchover" | "failover" | "rejoin";
  readonly row: PhaseId;
  readonly fault: string;
  /** What may come of it. */
  readonly expect: readonly Verdict[];
  /** Makes the situation in which the first run begins. */
  readonly arrange?: (scene: Scene) => Promise<void>;
  /** The fault, within the first run. */
  readonly hooks?: (scene: Scene) => DriveHooks;
  /** The fault goes on within the run after that. */
  readonly again?: (scene: Scene) => DriveHooks;
  /** Takes the fault back: the host returns, the cable is mended. */
  readonly heal?: (scene: Scene) => Promise<void>;
  /** The site that is not reached lives on, so whoever accepted its loss would be refused; it is mended instead. */
  readonly lives?: boolean;
  /** The site that the second run is asked for, where it is another one. */
  readonly then?: SiteId;
  /** The violation by which a negative control must be found; red for another reason does not count. */
  readonly caughtBy?: RegExp;
  /** Patched verbs: negative controls only. */
  readonly scripts?: (scripts: Scripts) => Scripts;
  /** The flags of the first run. @default activeSite b */
  readonly flags?: DriverFlags;
}
