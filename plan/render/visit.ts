import type { Scripts } from "../scripts";
import type { Part } from "../step";
import type { SiteId } from "../terms";
import { createLine, shellText, verbName, type Command } from "./shell";

/** How a site is entered and what it is told, where no wish is at hand: as a stack's state says it. */
export interface Entrance {
  /** Body of a shell function that runs its first argument at the site. */
  readonly enter: string;
  /** What verbs are told about this site. */
  readonly settings: Readonly<Record<string, string>>;
}
export type Entrances = Readonly<Record<SiteId, Entrance>>;

/** A file that goes from one site to the other before the verb runs. */
export interface HandedFile {
  readonly from: SiteId;
  readonly path: string;
  readonly to: SiteId;
  readonly target: string;
}

/** One verb at one site, by the same way and the same runner as a step. */
export interface Visit {
  readonly site: SiteId;
  readonly verb: string;
  /** Seconds. */
  readonly bound: number;
  readonly input: Readonly<Record<string, string>>;
  readonly file?: HandedFile;
}

/** The command of a visit. Throws where a path of the file spans lines. */
export function visitCommand(visit: Visit, entrances: Entrances, scripts: Scripts): Command {
  const { site, verb, bound, input, file } = visit;
  const part: Part = { site, verb, bound, input, dial: true };
  const lines = { ...entrances[site].settings, step_bound: String(bound), ...input };
  return {
    create: createLine(2 * bound),
    stdin: shellText({
      head: `# ${verbName(verb)} at site ${site}`,
      ...{ scripts, parts: [part], undo: [], kept: [] },
      ...(file === undefined ? {} : { more: ["handOn"], first: carried(file) }),
      enter: (id) => entrances[id].enter,
      input: () => Object.entries(lines).map(([key, value]) => `${key}=${value}`),
    }),
  };
}

function carried({ from, path, to, target }: HandedFile): readonly string[] {
  if (/[\n\r]/.test(path + target)) throw new Error("a path spans lines");
  return [`hand_on ${from} ${to} <<'STANDBY_PATHS' || return 75`, path, target, "STANDBY_PATHS"];
}
