import { createHash } from "node:crypto";
import { scriptText, type Scripts } from "../plan/scripts";

/**
 * Scripts that are made of several files. The guard is installed at a site as one program, so that a
 * host that boots needs nothing but its own disk: lib.sh, what asks the witness, and the guard itself.
 */

const END = "STANDBY_GUARD";

/** The guard as it lies at a site, ready to run. */
export function guardProgram(scripts: Scripts): string {
  const parts = ["lib", "site/query", "site/guard"].map((name) => body(scripts, name));
  return `#!/bin/sh\n${parts.join("\n")}\nguard_main "$@"\n`;
}

/** SHA-256 of {@link guardProgram}: what a site with this guard reports as fact `guard`. */
export function guardHash(scripts: Scripts): string {
  return createHash("sha256").update(guardProgram(scripts)).digest("hex");
}

/** The same scripts, with those that need others put together: `site/witness` and `site/install`. */
export function composeScripts(scripts: Scripts): Scripts {
  const program = guardProgram(scripts);
  if (program.split("\n").includes(END)) throw new Error(`a line of the guard is ${END}`);
  return {
    ...scripts,
    "site/witness": `${scriptText(scripts, "site/query")}\n${body(scripts, "site/witness")}`,
    "site/install": `guard_program() {\n  cat <<'${END}'\n${program}${END}\n}\n\n${scriptText(scripts, "site/install")}`,
  };
}

function body(scripts: Scripts, name: string): string {
  return scriptText(scripts, name).replace(/^#!.*\n/, "");
}
