import { crashFailovers } from "./failovers";
import { adversarial } from "./adversarial";
import { drained } from "./drained";
import { guardRuns } from "./guard";
import { rejoins, rewindKills } from "./rejoin";
import { switchovers } from "./switchovers";

/** One part of `bench -- safety`: its figures under the part's name, and whether they hold what is promised. */
export interface SafetyPart {
  readonly name: string;
  /** How many runs when none are asked for. */
  readonly n: number;
  readonly run: (n: number) => Promise<{ readonly figures: unknown; readonly holds: boolean }>;
}

/** All parts, in the order of the report. A part is one file of this folder and one entry here. */
export const SAFETY_PARTS: readonly SafetyPart[] = [
  {
    name: "failovers",
    n: 50,
    run: async (n) => {
      const figures = await crashFailovers(n);
      return { figures, holds: figures.missing === 0 && figures.surplus === 0 };
    },
  },
  {
    name: "drained",
    n: 10,
    run: async (n) => {
      const figures = await drained(n);
      return { figures, holds: figures.lost === 0 };
    },
  },
  {
    name: "switchovers",
    n: 60,
    run: async (n) => {
      const figures = await switchovers(n);
      return { figures, holds: figures.lost === 0 && figures.falseRefusals === 0 };
    },
  },
  {
    name: "adversarial",
    n: 1,
    run: async () => {
      const figures = await adversarial();
      return { figures, holds: figures.falseAccepts === 0 };
    },
  },
  {
    name: "rejoin",
    n: 3,
    run: async (n) => ({ figures: await rejoins([10, 200], n), holds: true }),
  },
  {
    name: "rewindKills",
    n: 10,
    run: async (n) => {
      const figures = await rewindKills(n);
      return { figures, holds: figures.damagedStarted === 0 };
    },
  },
  {
    name: "guard",
    n: 30,
    run: async (n) => {
      const figures = await guardRuns(n);
      return { figures, holds: figures.overlap === 0 && figures.max <= figures.boundMs };
    },
  },
];

/** What was measured, by part, and the parts whose figures break a promise. */
export interface SafetyReport {
  readonly figures: Readonly<Record<string, unknown>>;
  readonly broken: readonly string[];
}

/** Runs the named parts, or all. `n` overrides each part's own number of runs. Throws on an unknown name. */
export async function benchSafety(names: readonly string[], n?: number): Promise<SafetyReport> {
  const unknown = names.filter((name) => !SAFETY_PARTS.some((part) => part.name === name));
  if (unknown.length > 0) {
    const known = SAFETY_PARTS.map((part) => part.name).join(", ");
    throw new Error(`--part: ${unknown.join(", ")}: not one of ${known}`);
  }
  const figures: Record<string, unknown> = {};
  const broken: string[] = [];
  for (const part of SAFETY_PARTS) {
    if (names.length > 0 && !names.includes(part.name)) continue;
    const result = await part.run(n ?? part.n);
    figures[part.name] = result.figures;
    if (!result.holds) broken.push(part.name);
  }
  return { figures, broken };
}
