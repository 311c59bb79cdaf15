import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Scripts } from "../plan/scripts";
import { composeScripts } from "./guardProgram";

/**
 * Reads scripts/ of this installation: `postgres/fence` -> its text, made whole where it consists of several files.
 * Throws when the folder is missing.
 */
export function loadScripts(root: string = scriptsFolder()): Scripts {
  const scripts: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".sh")) continue;
    const file = join(entry.parentPath, entry.name);
    scripts[relative(root, file).slice(0, -".sh".length)] = readFileSync(file, "utf8");
  }
  return composeScripts(scripts);
}

// From dist/sites as from sites: the nearest folder above that has scripts/lib.sh.
function scriptsFolder(): string {
  for (let at = __dirname; at !== dirname(at); at = dirname(at)) {
    const candidate = join(at, "scripts");
    if (existsSync(join(candidate, "lib.sh"))) return candidate;
  }
  throw new Error("scripts/lib.sh is missing from this installation of pulumi-standby");
}
