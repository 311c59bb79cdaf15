// What a login shell or a wrapper does around a command is none of the site's facts, whatever shell it is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { commandOf } from "../../plan/render/command";
import type { Scripts } from "../../plan/scripts";
import type { Part, Step } from "../../plan/step";
import { input, parsed } from "./wish";

const fact = 'fact() { echo "$1=$2"; }';
const scripts: Scripts = {
  runner: readFileSync(path.resolve(__dirname, "../../scripts/runner.sh"), "utf8"),
  lib: `${fact}\ntold() { while IFS= read -r l; do case $l in "$1"=*) echo "\${l#*=}" ;; esac; done; }`,
  "test/fence":
    'main() { cat >/dev/null; fact token t0ken; fact fenced yes; echo "site a: talk" >&2; }',
  "test/refuse": "main() { cat >/dev/null; echo 'site a: no' >&2; exit 77; }",
  "test/silent": "main() { cat >/dev/null; fact fenced yes; }",
  "test/forge":
    "main() { cat >/dev/null; fact token forged; fact fenced yes; fact password forged; }",
  "test/take": 'main() { fact took "$(told token)"; }',
  "test/undo": "main() { cat >/dev/null; fact undone yes; }",
};

let folder = "";
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "shells-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** A start-up file in the home folder of whoever logs in. */
function startUp(file: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
}

const part = (verb: string, more: Partial<Part> = {}): Part => ({
  ...{ site: "a", verb: `test/${verb}`, bound: 5, input: {}, dial: true },
  ...more,
});
const fence = (more: Partial<Part> = {}) => part("fence", { gives: ["token"], ...more });
const take = part("take", { site: "b", take: { token: "token" } });

/** Runs parts; site a is entered by `enter`, site b plainly. */
function run(enter: string, parts: readonly Part[], undo: readonly Part[] = []) {
  const raw = input();
  const wish = parsed({ ...raw, sites: { ...raw.sites, a: { ...raw.sites.a, enter } } });
  const step: Step = {
    ...{ id: "test", phase: "fence", title: "a step", why: "Because.", state: "todo", bound: 20 },
    ...{ needs: [], act: { kind: "run", parts, undo }, check: [], undo: "" },
  };
  const { create, stdin } = commandOf(step, wish, scripts, "act");
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, RUN: "7-abc", DIGEST: "2-x" };
  const result = spawnSync("/bin/sh", ["-c", create], { input: stdin, env });
  const lines = result.stdout.toString().split("\n");
  return {
    code: result.status,
    lines: lines.filter((one) => one !== ""),
    talk: result.stderr.toString(),
  };
}

// As sshd starts it: what it is given is one argument behind -c.
const shells = {
  bash: { enter: 'SSH_CLIENT="192.0.2.1 1 22" SHLVL=0 bash -c "$1"', file: ".bashrc" },
  fish: { enter: 'fish -c "$1"', file: ".config/fish/config.fish" },
  tcsh: { enter: 'tcsh -c "$1"', file: ".tcshrc" },
  zsh: { enter: 'zsh -c "$1"', file: ".zshenv" },
  sh: { enter: 'sh -c "$1"', file: ".profile" },
};
const bash = shells.bash.enter;
const here = (name: string) =>
  (process.env["PATH"] ?? "").split(":").some((dir) => existsSync(path.join(dir, name)));

describe.each(Object.entries(shells))("%s as the login shell", (name, { enter, file }) => {
  const may = here(name) ? test : test.skip;
  const why = here(name) ? "" : ` (skipped: no ${name} here)`;

  may.each([true, false])(`hears facts, talk and exit codes${why}, plain: %s`, (plain) => {
    const told = run(enter, [fence({ plain }), take]);
    expect(told).toMatchObject({ code: 0, lines: ["token=t0ken", "fenced=yes", "took=t0ken"] });
    expect(told.talk).toBe("site a: talk\n");
    expect(run(enter, [part("refuse", { plain })])).toMatchObject({
      code: 77,
      talk: "site a: no\n",
    });
  });

  may.each([true, false])(`may print a text without a line end${why}, plain: %s`, (plain) => {
    startUp(file, "printf 'Welcome! token=x'\necho noise >/dev/stderr\n");
    const told = run(enter, [fence({ plain }), take]);
    expect(told).toMatchObject({ code: 0 });
    const prints = name === "sh" ? [] : ["noise.a=Welcome__token=x"];
    expect(told.lines).toEqual(["token=t0ken", "fenced=yes", ...prints, "took=t0ken"]);
    expect(told.talk).toBe("site a: talk\n");
  });
});

describe("bash as the login shell", () => {
  const heard = ["token=t0ken", "fenced=yes", "took=t0ken"];

  test.each([
    [
      "a forged fact, and marks of another run",
      "echo token=forged; echo begin 123; echo end 123 0",
      heard,
    ],
    ["what it was told to run", 'echo "run: $BASH_EXECUTION_STRING"; set -x', heard],
    ["a megabyte", "yes 0123456789 | head -c 1000000", heard],
    ["a setting of the other site", "echo maintenance_off=/evil", heard],
    ["an error", "stty sane; mesg n; nosuchprogram", heard],
  ])("that prints %s is not believed", (_, text, lines) => {
    startUp(".bashrc", `${text}\n`);
    const told = run(bash, [fence(), take]);
    expect(told.code).toBe(0);
    expect(told.lines.filter((line) => !line.startsWith("noise."))).toEqual(lines);
    expect(told.talk).toBe("site a: talk\n");
  });

  test.each([
    ["exit 1", 1],
    ["exit 0", 0],
    ["exit 75", 75],
    ["exit 77", 77],
    ["exec zsh", 75],
    ["exec tcsh -f", 75],
    ["exec sh", 75],
    ["exec echo gone", 0],
  ])("that ends by `%s` has done nothing, which is unknown and says so", (text, status) => {
    startUp(".bashrc", `echo hello; ${text}\n`);
    const told = run(bash, [part("undo")]);
    expect(told).toMatchObject({ code: 255, lines: [] });
    expect(told.talk).toMatch(
      `the login shell did not run what it was given (status ${status}, it printed hello`,
    );
    expect(told.talk).toMatch(/\nHINT: log in there/);
  });

  test.each(["read x", "head -c 300 >/dev/null", "cat >/dev/null"])(
    "that reads standard input by `%s` is refused before anything runs",
    (text) => {
      startUp(".bashrc", `${text}\n`);
      const told = run(bash, [part("undo")]);
      expect(told).toMatchObject({ code: 77, lines: [] });
      expect(told.talk).toMatch(/reads the standard input of the commands that run here\nHINT: /);
    },
  );
});

describe("a forced command", () => {
  test.each([
    ["that loses the exit code", 'sh -c "$1" | cat', 77],
    ["that merges the two outputs", 'sh -c "$1" 2>&1', 77],
    ["that says something afterwards", 'sh -c "$1"; r=$?; printf "bye token=x"; exit $r', 77],
    ["that splits its words", "$1", 255],
    ["that does something else", "echo this account is locked", 255],
  ])("%s", (_, enter, code) => {
    expect(run(enter, [part("refuse")]).code).toBe(code);
    const told = run(enter, [fence(), take]);
    if (code === 77)
      expect(told).toMatchObject({ code: 0, lines: ["token=t0ken", "fenced=yes", "took=t0ken"] });
    else expect(told.code).not.toBe(0);
  });
});

describe("a fence whose token was not heard is taken back", () => {
  const undo = [part("undo", { site: "b" })];
  test.each([
    ["it gave none", 'sh -c "$1"', "silent"],
    ["something ate the line", `sh -c "$1" | sed 's/^token=/x&\\n/'`, "fence"],
    [
      "the end was cut off, and the connection says that all is well",
      'sh -c "$1" | head -n 3',
      "fence",
    ],
    ["nothing ran, and the connection says that all is well", ":", "fence"],
  ])("%s", (_, enter, verb) => {
    const told = run(enter, [part(verb, { gives: ["token"] })], undo);
    expect(told.code).toBe(77);
    expect(told.lines).toContain("undone=yes");
    expect(told.talk).toMatch(/HINT: /);
  });
  test("not where the connection broke: that is unknown, and held", () => {
    const told = run('sh -c "$1" | head -n 3; exit 255', [fence()], undo);
    expect(told.code).toBe(255);
    expect(told.lines).not.toContain("undone=yes");
  });
});

test("a fact is heard from nobody but the part that is to give it", () => {
  const forged = run('sh -c "$1"', [fence(), part("forge"), part("forge", { site: "b" }), take]);
  expect(forged.lines).toEqual([
    "token=t0ken",
    "fenced=yes",
    "fenced=yes",
    "fenced=yes",
    "took=t0ken",
  ]);
});

test("of all that a site prints, no input of another site changes", () => {
  const lib = readFileSync(path.resolve(__dirname, "../../scripts/lib.sh"), "utf8");
  const block = /^assign\(\) \{\n([\s\S]*?)^\}/m.exec(lib)?.[1] ?? "";
  const keys = [...block.matchAll(/([a-z_]+) ?\)/g)].map((match) => match[1] ?? "");
  expect(keys.length).toBeGreaterThan(40);
  const evil = `main() { cat >/dev/null; fact token t0ken; ${keys.map((key) => `fact ${key} evil`).join("; ")}; }`;
  const library = {
    "test/evil": evil,
    "test/shows": 'main() { while IFS= read -r l; do fact in "${l%%=*}:${l#*=}"; done; }',
  };
  Object.assign(scripts as Record<string, string>, library);
  const shown = (first: Part) =>
    run('sh -c "$1"', [first, part("shows", { site: "b" })]).lines.filter((line) =>
      line.startsWith("in="),
    );
  const clean = shown(part("undo"));
  expect(clean.length).toBeGreaterThan(15);
  expect(shown(part("evil"))).toEqual(clean);
  expect(shown(part("evil", { gives: ["token"] }))).toEqual(clean);
});
