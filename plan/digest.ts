import { createHash } from "node:crypto";
import type { Desired } from "./desired";
import { commandOf } from "./render/command";
import type { Scripts } from "./scripts";
import type { Step } from "./step";
import type { Decision } from "./transition";

/**
 * The plan's name: EPOCH-HASH over the transition and the act text of every step it has, done or not, reachable or not.
 * So it stays the same when a run is killed and taken up again. Run id, facts and the way in which a returned site becomes a standby are left out.
 */
export function digestOf(
  decision: Decision,
  steps: readonly Step[],
  wish: Desired,
  scripts: Scripts,
): string {
  const hash = createHash("sha256");
  const add = (text: string) => hash.update(text).update("\0");
  add(`${decision.transition} ${decision.epoch} ${decision.from} ${decision.to}`);
  for (const step of steps.filter((one) => one.state !== "skipped")) {
    add(step.id);
    if (step.phase === "join" || step.phase === "rejoin") continue;
    if (step.act.kind === "record") add(`${step.act.type} ${step.act.name} ${step.act.content}`);
    else add(commandOf(step, wish, scripts, "digest").stdin);
  }
  return `${decision.epoch}-${hash.digest("hex").slice(0, 12)}`;
}

/** Hash of what prepare leaves at a site: settings and the text that sets them. Passwords are left out. */
export function preparedHash(
  settings: Readonly<Record<string, string>>,
  texts: readonly string[],
): string {
  const hash = createHash("sha256");
  for (const [key, value] of Object.entries(settings).sort(([a], [b]) => a.localeCompare(b))) {
    hash.update(`${key}=${value}\0`);
  }
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("hex").slice(0, 16);
}
