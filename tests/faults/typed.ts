import { SITE_IDS } from "../../plan/terms";
import type { DriverFlags } from "../../lab/driver/wish";

/** What a person types who does what a message says: the settings, then the update, once or several times. */
export type Typed = readonly Partial<DriverFlags>[];

const COMMAND =
  /pulumi config set (activeSite|acceptLoss|acceptUnproven) ([a-z0-9]+)|pulumi up|the update again/g;
/** Where a hint goes over to another way; what only waits or mends comes first where there is one. */
const OTHERWISE = /(?:[;,.]|\n)\s*or\b|\bor (?:let|bring)\b/;

/**
 * The commands of the first way that a message names, each item the settings before one update. `accepting`: of the first
 * way that accepts something, for as long as nothing is mended. Empty: it names no command.
 */
export function typedOf(text: string, accepting: boolean): Typed {
  const hint = /^HINT: (?:.|\n)*/m.exec(text)?.[0] ?? "";
  const ways = hint.split(OTHERWISE);
  const way =
    (accepting ? ways.find((one) => /config set accept/.test(one)) : undefined) ?? ways[0];
  const updates: Partial<DriverFlags>[] = [];
  let settings: Partial<DriverFlags> = {};
  for (const [, key, value] of (way ?? "").matchAll(COMMAND)) {
    if (key !== undefined) settings = { ...settings, ...setting(key, value ?? "") };
    else {
      updates.push(settings);
      settings = {};
    }
  }
  // "to accept for this epoch and go on: pulumi config set ..." may leave the update itself unsaid.
  return Object.keys(settings).length > 0 ? [...updates, settings] : updates;
}

function setting(key: string, value: string): Partial<DriverFlags> {
  if (key !== "activeSite") return { [key]: Number(value) };
  const activeSite = SITE_IDS.find((site) => site === value);
  return activeSite === undefined ? {} : { activeSite };
}

/** What is missing in a message that holds somebody up: the site it is about, what was seen, and what to type. */
export function lacking(text: string): readonly string[] {
  const [said = "", ...hints] = text.split(/^HINT: /m);
  return [
    ...(/\bsites? [ab]\b|zone|witness|API/.test(said) ? [] : ["names no site"]),
    ...(said.trim().length > 20 ? [] : ["names no reason"]),
    ...(hints.some((hint) => /pulumi up|the update again/.test(hint)) ? [] : ["names no command"]),
  ];
}
