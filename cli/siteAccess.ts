import { spawn } from "node:child_process";
import { z } from "zod";
import { scriptText, type Scripts } from "../plan/scripts";
import { SITE_IDS, type SiteId } from "../plan/terms";

/**
 * Reaching the sites of a pair from its stack's state: each step's own text says how its site is entered and what the site
 * was told about itself, so that no second description of the sites can drift from the one that runs.
 */
export interface SiteAccess {
  readonly site: SiteId;
  /** Body of a shell function that runs its first argument at the site. */
  readonly enter: string;
  /** What verbs are told about this site. */
  readonly settings: Readonly<Record<string, string>>;
}

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

// These belong to a transition, not to a site.
const OF_A_STEP = new Set([
  "value",
  "action",
  "kinds",
  "token",
  "epoch",
  "from",
  "to",
  "kind",
  "run",
  "digest",
  "value_lsn",
]);

/**
 * The two sites of the pair `pair` (the only one when it is undefined), from the JSON of `pulumi stack export` or of a
 * preview. Throws when the text is neither.
 */
export function sitesOf(json: string, pair?: string): Readonly<Record<SiteId, SiteAccess>> {
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
      `^part ${site} .*<<'STANDBY_INPUT'\\n([\\s\\S]*?)^STANDBY_INPUT$`,
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

function settingsOf(lines: string): Record<string, string> {
  const pairs = lines
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const)
    .filter(([key]) => /^[a-z_]+$/.test(key) && !OF_A_STEP.has(key) && !key.startsWith("service"));
  return Object.fromEntries(pairs);
}

/** How a command at the sites ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
}

// What a transport may use (sites/transports/transport.ts): a folder of this call alone, and who calls.
const ROOM = `work=$(mktemp -d) || exit 75
trap 'rm -rf "$work"' EXIT
uid=$(id -u)
`;

/** Runs shell text in which `enter_a` and `enter_b` are known. What is said on stderr goes to this terminal. */
export function runWithSites(
  sites: Readonly<Record<SiteId, SiteAccess>>,
  text: string,
): Promise<Ended> {
  const functions = SITE_IDS.map((id) => `enter_${id}() {\n${sites[id].enter}\n}\n`).join("");
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-s"], { stdio: ["pipe", "pipe", "inherit"] });
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stdin.on("error", () => undefined);
    child.stdin.end(`${ROOM}${functions}${text}`);
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code: code ?? 255, stdout });
    });
  });
}

/** Shell text that runs one verb at a site, with these lines besides the site's own settings. */
export function verbText(
  { site, settings }: SiteAccess,
  scripts: Scripts,
  verb: string,
  input: Readonly<Record<string, string>>,
): string {
  const lines = Object.entries({ ...settings, ...input }).map(([key, value]) => `${key}=${value}`);
  return [
    `enter_${site} 'umask 077; timeout -k 2 ${settings["step_bound"] ?? "60"} sh -s' <<'STANDBY_SCRIPT'`,
    scriptText(scripts, "lib"),
    scriptText(scripts, verb),
    "main <<'STANDBY_INPUT'",
    ...lines,
    "STANDBY_INPUT",
    "STANDBY_SCRIPT",
    "",
  ].join("\n");
}
