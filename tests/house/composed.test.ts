// The scripts as they run on a site: lib.sh and whatever else belongs in front, then the verb, then the call.
// Alone they are checked by the test runner; together they must be clean too, or a name used in both goes unseen.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DELTA, guardProgram, LIB, OBSERVE, REJOIN, SEED } from "../../sites/guardProgram";
import { GUARD_PARTS } from "../../plan/scripts";
import { loadScripts } from "../../sites/scripts";
import { ROOT } from "./tree";

// Not verbs: what stands in front of them, what runs where Pulumi runs, and the guard, which is a program of its own.
const NO_VERBS = new Set<string>([
  "runner",
  "handOn",
  "postgres/followers",
  "postgres/databases",
  ...LIB,
  ...GUARD_PARTS,
  ...[...DELTA, ...REJOIN, ...SEED, ...OBSERVE].filter(
    (name) => !/^postgres\/(delta|rejoin|seed|observe)$/.test(name),
  ),
]);
// A verb never uses all of lib.sh: names it does not read (SC2034), arguments it does not pass (SC2119, SC2120).
const PARTLY_USED = "SC2034,SC2119,SC2120";

const folder = mkdtempSync(path.join(tmpdir(), "standby-composed-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function composed(): ReadonlyMap<string, string> {
  const scripts = loadScripts();
  const whole = Object.entries(scripts)
    .filter(([name]) => !NO_VERBS.has(name))
    .map(([name, text]): [string, string] => [name, `${scripts["lib"] ?? ""}\n${text}\nmain\n`]);
  return new Map([...whole, ["guard", guardProgram(scripts)]]);
}

function said(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: "pipe" });
  } catch (problem) {
    return (problem as { stdout: string; stderr: string }).stdout + String(problem);
  }
}

function written(name: string, text: string): string {
  const file = path.join(folder, `${name}.sh`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

copyFileSync(path.join(ROOT, ".shellcheckrc"), path.join(folder, ".shellcheckrc"));

describe.each([...composed()])("%s, as it runs on a site", (name, text) => {
  const file = written(name, text);

  test("is clean under shellcheck", () => {
    expect(said("shellcheck", ["--shell=sh", `--exclude=${PARTLY_USED}`, file])).toBe("");
  });

  test("is read by dash", () => {
    expect(said("dash", ["-n", file])).toBe("");
  });
});
