import type { InputBench } from "./bench";
import type { Undo } from "./surroundings";

/** What can be wrong with a pair that runs. */
export interface LiveCase {
  readonly name: string;
  /** Breaks something; gives what mends it. */
  readonly arrange?: (bench: InputBench) => Promise<Undo> | Undo;
  /** Arguments put at paths, once it is arranged. */
  readonly put?: (bench: InputBench) => Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, string>>;
  /** What the one refusal must say: what was seen with its numbers, and the next act. */
  readonly says: readonly (string | RegExp)[];
  /** A step found it, not the program: the stack knows of the try, nothing else does. */
  readonly byStep?: true;
}
