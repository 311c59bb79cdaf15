import { createHash } from "node:crypto";
import { GUARD_PARTS, scriptText, type Scripts } from "../plan/scripts";

/**
 * Scripts that are made of several files. The guard is installed at a site as one program, so that a
 * host that boots needs nothing but its own disk: lib.sh, what asks the witness, and the guard's own parts.
 */

const END = "STANDBY_GUARD";

/** The verb `postgres/delta`, in the order in which its files stand. */
export const DELTA = [
  "postgres/alone",
  "postgres/kept",
  "postgres/parting",
  "postgres/returned",
  "postgres/deltaScan",
  "postgres/deltaRows",
  "postgres/deltaDecode",
  "postgres/deltaSql",
  "postgres/delta",
] as const;

/** The verb `postgres/rejoin`, likewise. */
export const REJOIN = [
  "postgres/needs",
  "postgres/copy",
  "postgres/places",
  "postgres/alone",
  "postgres/remake",
  "postgres/kept",
  "postgres/parting",
  "postgres/returned",
  "postgres/rejoin",
] as const;

/** The verb `postgres/observe`, likewise. */
export const OBSERVE = [
  "site/query",
  "site/owned",
  "postgres/needs",
  "postgres/ground",
  "postgres/observe",
] as const;

/** What every verb stands on, likewise. */
export const LIB = [
  "lib",
  "versions",
  "hold",
  "wal",
  "place",
  "present",
  "answer",
  "owner",
] as const;

/** The verb `postgres/seed`, likewise. */
export const SEED = [
  "postgres/needs",
  "postgres/copy",
  "postgres/places",
  "postgres/alone",
  "postgres/seed",
] as const;

/** The guard as it lies at a site, ready to run. */
export function guardProgram(scripts: Scripts): string {
  const parts = GUARD_PARTS.map((name) => body(scripts, name));
  return `#!/bin/sh\n${parts.join("\n")}\nguard_main "$@"\n`;
}

/** SHA-256 of {@link guardProgram}: what a site with this guard reports as fact `guard`. */
export function guardHash(scripts: Scripts): string {
  return createHash("sha256").update(guardProgram(scripts)).digest("hex");
}

/**
 * The same scripts, with those that need others put together: `lib` is the files of {@link LIB}; what asks the witness stands
 * in front of `site/witness`, the whole guard in front of `site/install`, what recovers in front of `postgres/fence`, what
 * settings must be in front of `postgres/prepare`; `postgres/delta`, `postgres/rejoin`, `postgres/seed` and
 * `postgres/observe` are the files of {@link DELTA}, {@link REJOIN}, {@link SEED} and {@link OBSERVE}.
 * What is put together already stays as it is.
 */
export function composeScripts(files: Scripts): Scripts {
  const install = scriptText(files, "site/install");
  if (install.includes(END)) return files;
  const scripts = { ...files, lib: together(files, LIB) };
  const program = guardProgram(scripts);
  if (program.split("\n").includes(END)) throw new Error(`a line of the guard is ${END}`);
  const asking = (...names: readonly string[]) => together(scripts, ["site/query", ...names]);
  return {
    ...scripts,
    "postgres/delta": together(scripts, DELTA),
    "postgres/fence": together(scripts, ["postgres/alone", "postgres/followers", "postgres/fence"]),
    "postgres/observe": together(scripts, OBSERVE),
    "postgres/preflight": together(scripts, [
      "site/owned",
      "postgres/followers",
      "postgres/databases",
      "postgres/preflight",
    ]),
    "postgres/prepare": together(scripts, ["postgres/needs", "postgres/prepare"]),
    "postgres/settle": together(scripts, [
      "postgres/followers",
      "postgres/kept",
      "postgres/settle",
    ]),
    "postgres/repoint": together(scripts, ["postgres/followers", "postgres/repoint"]),
    "site/witness": asking("site/witness"),
    "site/install": `guard_program() {\n  cat <<'${END}'\n${program}${END}\n}\n\n${install}`,
    "postgres/promote": together(scripts, [
      "postgres/extent",
      "postgres/databases",
      "postgres/promote",
    ]),
    "postgres/unfence": together(scripts, ["postgres/extent", "postgres/unfence"]),
    "postgres/seed": together(scripts, SEED),
    "postgres/rejoin": together(scripts, REJOIN),
  };
}

function together(scripts: Scripts, names: readonly string[]): string {
  return names.map((name) => body(scripts, name)).join("\n");
}

function body(scripts: Scripts, name: string): string {
  return scriptText(scripts, name).replace(/^#!.*\n/, "");
}
