/**
 * The shell text that runs at a site, by name: `lib`, `runner`, `postgres/fence`, `site/services` and so on.
 * Read from scripts/ by sites/; handed in, because plan/ touches no files.
 */
export type Scripts = Readonly<Record<string, string>>;

/** The text of one script. Throws on a name that is not there: a broken installation. */
export function scriptText(scripts: Scripts, name: string): string {
  const text = scripts[name];
  if (text === undefined) throw new Error(`scripts/${name}.sh is missing from this installation`);
  return text;
}

/** What the guard is made of, in this order. A change of any of them makes another guard. */
export const GUARD_PARTS = [
  "lib",
  "site/query",
  "site/guard",
  "postgres/extent",
  "site/admit",
  "site/watch",
  "site/asking",
  "site/owned",
  "site/entry",
  "site/units",
  "site/fencing",
] as const;
