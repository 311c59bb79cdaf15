import { z } from "zod";
import { SETTING_KEYS } from "../plan/render/command";
import { visitCommand, type Entrance, type Visit } from "../plan/render/visit";
import type { SiteId } from "../plan/terms";
import { runCommand, type Outcome } from "../sites/run";
import { loadScripts } from "../sites/scripts";

/**
 * Reaching the sites of a pair from its stack's state: each step's own text says how its site is entered and what the site
 * was told about itself, so that no second description of the sites can drift from the one that runs. A site is entered as
 * steps enter it: plan/render makes the text, sites/run runs it.
 */
export interface SiteAccess extends Entrance {
  readonly site: SiteId;
}
export type Sites = Readonly<Record<SiteId, SiteAccess>>;

const inputsSchema = z.object({ inputs: z.record(z.string(), z.unknown()).optional() });
/** Of a state its resources, of a preview its steps. A preview names only what changes, so at rest only a state will do. */
const stackSchema = z.union([
  z.object({ deployment: z.object({ resources: z.array(inputsSchema).default([]) }) }),
  z.object({
    steps: z.array(
      z.object({ newState: inputsSchema.optional(), oldState: inputsSchema.optional() }),
    ),
  }),
]);

/**
 * The two sites of the pair `pair` (the only one when it is undefined), from the JSON of `pulumi stack export` or of a
 * preview. Throws when the text is neither.
 */
export function sitesOf(json: string, pair?: string): Sites {
  const stack = stackSchema.parse(JSON.parse(json));
  const states =
    "steps" in stack
      ? stack.steps.flatMap(({ newState, oldState }) => [newState, oldState])
      : stack.deployment.resources;
  const texts = states
    .map((state) => state?.inputs?.["stdin"])
    .filter((text) => typeof text === "string");
  const access = (site: SiteId) => accessOf(site, texts, pair);
  return { a: access("a"), b: access("b") };
}

function accessOf(site: SiteId, texts: readonly string[], pair: string | undefined): SiteAccess {
  const blocks = texts.flatMap((text) => {
    const enter = new RegExp(`^enter_${site}\\(\\) \\{\\n([\\s\\S]*?)\\n\\}$`, "m").exec(text)?.[1];
    const parts = new RegExp(
      `^(?:part|beside) ${site} .*<<'STANDBY_INPUT'\\n([\\s\\S]*?)^STANDBY_INPUT$`,
      "gm",
    );
    if (enter === undefined) return [];
    return [...text.matchAll(parts)].map((match) => ({
      enter,
      settings: settingsOf(match[1] ?? ""),
    }));
  });
  const mine = blocks.filter(({ settings }) => pair === undefined || settings["name"] === pair);
  const names = [...new Set(mine.map(({ settings }) => settings["name"]))];
  const [found] = mine;
  if (found === undefined || names.length > 1) {
    throw new Error(
      `site ${site}: ${names.length > 1 ? `the state holds the pairs ${names.join(", ")}` : "the state does not say how to reach it"}\n` +
        `HINT: ${names.length > 1 ? "name one with --pair NAME" : "make a new one: pulumi stack export >state.json"}`,
    );
  }
  return { site, ...found };
}

/** What belongs to the site, and nothing of the transition that its step was part of. */
function settingsOf(lines: string): Record<string, string> {
  const pairs = lines
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const)
    .filter(([key]) => SETTING_KEYS.has(key));
  return Object.fromEntries(pairs);
}

/** Runs one verb at a site. Never rejects; `code` is null where its time was over. */
export function visitSite(sites: Sites, visit: Visit): Promise<Outcome> {
  return runCommand(visitCommand(visit, sites, loadScripts()), {}, 2 * visit.bound + 20);
}
