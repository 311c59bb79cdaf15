import type { Desired } from "../plan/desired";
import { siteObserved, type SiteObserved } from "../plan/observed";
import { partCommand } from "../plan/render/command";
import type { Scripts } from "../plan/scripts";
import { SITE_IDS, type SiteId } from "../plan/terms";
import { runCommand } from "./run";

/** Seconds a site has to describe itself. */
const OBSERVE_SECONDS = 20;

/** Asks both sites at once. A site that does not answer is unknown, with what the transport said. */
export async function observeSites(
  wish: Desired,
  scripts: Scripts,
): Promise<Readonly<Record<SiteId, SiteObserved>>> {
  const [a, b] = await Promise.all(SITE_IDS.map((site) => observeSite(site, wish, scripts)));
  if (a === undefined || b === undefined) throw new Error("there are always two sites");
  return { a, b };
}

/** Asks one site what it is. Read-only. Never rejects. */
export async function observeSite(
  site: SiteId,
  wish: Desired,
  scripts: Scripts,
): Promise<SiteObserved> {
  const part = { site, verb: "postgres/observe", bound: OBSERVE_SECONDS, input: {}, dial: true };
  const outcome = await runCommand(partCommand(part, wish, scripts), {}, OBSERVE_SECONDS + 10);
  if (outcome.code !== 0) return { reach: "unknown", why: reason(outcome.code, outcome.stderr) };
  try {
    return siteObserved(outcome.stdout);
  } catch (error) {
    return { reach: "unknown", why: `its facts could not be read: ${String(error)}` };
  }
}

function reason(code: number | null, stderr: string): string {
  const lines = stderr
    .split("\n")
    // ssh frames the warning about a changed host key with signs.
    .map((line) => line.replaceAll(/^[@\s]+|[@\s]+$/g, ""))
    .filter((line) => line !== "" && !line.startsWith("HINT:"));
  // What such a shell printed itself says nothing.
  const shell = lines.find((line) => /^site [ab]: the login shell /.test(line));
  return shell ?? lines[0] ?? (code === null ? "no answer in time" : `exit code ${code}`);
}
