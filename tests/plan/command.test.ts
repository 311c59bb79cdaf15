// The shell text of a step, run for real: parts, facts handed on, the undo, exit codes, and nothing that leaks.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { until } from "../../lab/postgres/processes";
import { commandOf, type Mode } from "../../plan/render/command";
import type { Scripts } from "../../plan/scripts";
import type { Part, Step } from "../../plan/step";
import { planFor } from "./update";
import { input, parsed, scripts as oneLiners, wish as wishOf } from "./wish";
import { atRest } from "./worlds";

const runner = readFileSync(path.resolve(__dirname, "../../scripts/runner.sh"), "utf8");

/** A lib that echoes what it was given, and verbs that do what their name says. */
const scripts: Scripts = {
  runner,
  lib: 'fact() { echo "$1=$2"; }\ntold() { while IFS= read -r l; do case $l in "$1"=*) echo "${l#*=}" ;; esac; done; }',
  "test/say": 'main() { fact said "$(told value | tail -n 1 | tr -d \' "\')"; }',
  "test/token": "main() { fact token t0ken; echo talk >&2; }",
  "test/take": 'main() { fact took "$(told mine)"; }',
  "test/later": "main() { cat >/dev/null; exit 75; }",
  "test/refuse": "main() { cat >/dev/null; echo 'site b: no' >&2; exit 77; }",
  "test/away": "main() { cat >/dev/null; exit 255; }",
  "test/hang": "main() { sleep 30; }",
  "test/fail": "main() { cat >/dev/null; exit 3; }",
  "test/dirty":
    "main() { echo 'role=`id`'; echo 'not a fact'; echo 'fine=1'; echo 'service.web-1=running'; echo 'state=/elsewhere'; echo 'run=9-evil'; }",
  "test/state":
    'main() { last=$(cat); fact where "$(echo "$last" | told state | tail -n 1)"; fact ran "$(echo "$last" | told run | tail -n 1)"; }',
  "test/lone": 'main() { cat | grep -c . | { read -r n; fact lines "$n"; }; }',
};

const wish = parsed(input());

function part(verb: string, more: Partial<Part> = {}): Part {
  return { site: "a", verb: `test/${verb}`, bound: 5, input: {}, dial: true, ...more };
}

function step(
  parts: readonly Part[],
  { needs = [], ...more }: { undo?: readonly Part[]; wait?: number; needs?: Step["needs"] } = {},
): Step {
  return {
    id: "test",
    phase: "fence",
    title: "a step's title with 'quotes' and $(subst)",
    why: "Because.",
    state: "todo",
    bound: 10,
    needs,
    act: { kind: "run", parts, ...more },
    check: [],
    undo: "",
  };
}

function run(
  one: Step,
  env: Readonly<Record<string, string>> = {},
  mode: Mode = "act",
  library: Scripts = scripts,
  at = wish,
) {
  const { create, stdin } = commandOf(one, at, library, mode);
  const { PATH = "/usr/bin:/bin" } = process.env;
  const given = { PATH, RUN: "7-abc", DIGEST: "2-x", FACTS: "", SECRET: "", ...env };
  const result = spawnSync("/bin/sh", ["-c", create], { input: stdin, env: given });
  const lines = result.stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  return { code: result.status, lines, talk: result.stderr.toString() };
}

test("every step of a real plan is shell that parses, in every mode", () => {
  const flags = { activeSite: "b" } as const;
  const texts = planFor(atRest("a"), flags).steps.flatMap((one) =>
    one.act.kind === "record"
      ? []
      : (["act", "check", "digest"] as const).map(
          (mode) => commandOf(one, wishOf(flags), { ...oneLiners, runner }, mode).stdin,
        ),
  );
  expect(texts.length).toBeGreaterThan(20);
  for (const text of texts) {
    const result = spawnSync("/bin/sh", ["-n"], { input: text });
    expect(result.stderr.toString()).toBe("");
  }
});

test("parts run in order, at their sites, and give their facts", () => {
  const result = run(
    step([part("say", { input: { value: "one" } }), part("token", { site: "b" })]),
  );
  expect(result).toMatchObject({ code: 0, lines: ["said=one", "token=t0ken"] });
  expect(result.talk).toBe("talk\n");
});

test("a part takes an earlier part's fact under another name", () => {
  const token = part("token", { gives: ["token"] });
  const result = run(step([token, part("take", { site: "b", take: { mine: "token" } })]));
  expect(result).toMatchObject({ code: 0, lines: ["token=t0ken", "took=t0ken"] });
});

test("facts and secret travel in the environment, never as shell, and only to the part that is named", () => {
  const needs = [{ fact: "proof", of: "fence" }];
  const mine = step([part("take", { take: { mine: "proof" } }), part("take")], { needs });
  expect(run(mine, { FACTS: "proof=from-fence\nmine=stray" }).lines).toEqual([
    "took=from-fence",
    "took=",
  ]);
  const secret = `password=$(touch /tmp/x)'"\`id\``;
  const shown = run(step([part("lone", { secret: true }), part("lone")]), { SECRET: secret });
  const [with_, without] = shown.lines.map((line) => Number(line.replace("lines=", "")));
  expect([shown.code, shown.talk, (with_ ?? 0) - (without ?? 0)]).toEqual([0, "", 1]);
});

test("a fact that nobody declared is not handed on, and the plan that tries is refused", () => {
  const stray = step([part("token"), part("take", { take: { mine: "token" } })]);
  expect(() => run(stray)).toThrow(/test\/take at site a: undeclared facts token/);
});

test("what a site says cannot change what another site is told", () => {
  const result = run(step([part("dirty"), part("state", { site: "b" })]));
  expect(result.lines).not.toContain("not a fact");
  expect(result.lines.join()).not.toContain("`");
  expect(result.lines).toContain("fine=1");
  expect(result.lines).toContain("where=/var/lib/standby/b/shop");
  expect(result.lines).toContain("ran=7-abc");
});

test("a service may have any name that the wish allows", () => {
  expect(run(step([part("dirty")])).lines).toContain("service.web-1=running");
});

test.each([
  ["later", 75],
  ["refuse", 77],
  ["fail", 3],
  ["away", 255],
])("a part that ends as %s ends the step with %i, and no later part runs", (verb, code) => {
  const result = run(step([part(verb), part("token")]));
  expect(result).toMatchObject({ code, lines: [] });
});

test("a part runs beside the next one; both give their facts", () => {
  const meet = (mine: string, other: string) =>
    `main() { cat >/dev/null; : >"$MEET/${mine}"; n=0; while [ ! -e "$MEET/${other}" ] && [ $n -lt 200 ]; do sleep 0.02; n=$((n + 1)); done; [ -e "$MEET/${other}" ] && fact ${mine} met; }`;
  const two = { ...scripts, "test/one": meet("one", "two"), "test/two": meet("two", "one") };
  const MEET = mkdtempSync(path.join(tmpdir(), "beside-"));
  try {
    const both = step([part("one", { beside: true }), part("two", { site: "b" }), part("token")]);
    expect(run(both, { MEET }, "act", two)).toMatchObject({
      code: 0,
      lines: ["two=met", "one=met", "token=t0ken"],
    });
  } finally {
    rmSync(MEET, { recursive: true });
  }
});

test.each([
  ["later", "token", 75, ["token=t0ken"]],
  ["token", "later", 75, ["token=t0ken"]],
  ["refuse", "later", 77, []],
])("%s beside %s ends the step with %i", (first, second, code, lines) => {
  const both = step([part(first, { beside: true }), part(second, { site: "b" }), part("say")]);
  expect(run(both)).toMatchObject({ code, lines });
});

test("an optional part beside another does not fail the step, and does not hide the other's failure", () => {
  const optional = { beside: true, optional: true };
  expect(run(step([part("away", optional), part("token")])).code).toBe(0);
  expect(run(step([part("away", optional), part("later")])).code).toBe(75);
});

test("a text that is cut short does nothing", () => {
  const { create, stdin } = commandOf(step([part("token")]), wish, scripts, "act");
  const result = spawnSync("/bin/sh", ["-c", create], { input: stdin.replace(/main <.*\n$/, "") });
  expect(result.status).toBe(75);
  expect(result.stdout.toString()).toBe("");
});

test("what is not reached or hangs is unknown, and says so", () => {
  const cut = { ...wish, sites: { ...wish.sites, b: { ...wish.sites.b, enter: "return 255" } } };
  const away = step([part("token", { site: "b" })]);
  expect(run(away, {}, "act", scripts, cut)).toMatchObject({ code: 255, lines: [] });
  expect(run(away, {}, "act", scripts, cut).talk).toMatch(/site b: not reached; .*unknown\nHINT: /);
  const hung = run(step([part("hang", { bound: 1 })]));
  expect(hung.code).toBe(124);
  expect(hung.talk).toMatch(/took longer than 1 s; what it did is unknown\nHINT: /);
});

describe("a plain part, whose output needs no files at the site,", () => {
  const plain = { plain: true };

  test("gives its facts and its talk, and takes an earlier part's fact", () => {
    const take = part("take", { ...plain, site: "b", take: { mine: "token" } });
    const result = run(step([part("token", { ...plain, gives: ["token"] }), take]));
    expect(result).toMatchObject({ code: 0, lines: ["token=t0ken", "took=t0ken"], talk: "talk\n" });
  });

  test.each([
    ["later", 75],
    ["refuse", 77],
    ["fail", 3],
    ["away", 255],
  ])("that ends as %s ends the step with %i", (verb, code) => {
    const result = run(step([part(verb, plain), part("token")]));
    expect(result).toMatchObject({ code, lines: [] });
  });

  test("is ended at its bound with all that it started", () => {
    const hung = run(step([part("hang", { ...plain, bound: 1 })]));
    expect(hung.code).toBe(124);
    expect(hung.talk).toMatch(/took longer than 1 s; what it did is unknown\nHINT: /);
  });

  test("leaves nothing in the site's temporary folder, nor does any other", async () => {
    const TMPDIR = mkdtempSync(path.join(tmpdir(), "plain-"));
    try {
      run(step([part("token", plain), part("token"), part("hang", { bound: 1 })]), { TMPDIR });
      // The last folder is removed while the step ends.
      await until("it is empty", 5000, () => readdirSync(TMPDIR).length === 0);
    } finally {
      rmSync(TMPDIR, { recursive: true });
    }
  });
});

test("an optional part that fails is told and does not fail the step", () => {
  const result = run(step([part("refuse", { optional: true }), part("token")]));
  expect(result).toMatchObject({ code: 0, lines: ["token=t0ken"] });
  expect(result.talk).toContain("site b: no");
});

describe("undo", () => {
  test("stays out when the part beside the last one fails: the next run looks first", () => {
    const undo = [part("say", { input: { value: "undone" } })];
    const both = (first: string, last: string) => [part(first, { beside: true }), part(last)];
    expect(run(step(both("refuse", "later"), { undo }))).toMatchObject({ code: 77, lines: [] });
    expect(run(step(both("token", "later"), { undo }))).toMatchObject({
      code: 77,
      lines: ["token=t0ken", "said=undone"],
    });
  });
  const undo = [part("say", { input: { value: "undone" } }), part("token")];
  test.each(["later", "refuse"])(
    "of a last part that ends as %s; the step ends as refused",
    (verb) => {
      const result = run(step([part("token"), part(verb)], { undo }));
      expect(result).toMatchObject({
        code: 77,
        lines: ["token=t0ken", "said=undone", "token=t0ken"],
      });
    },
  );
  test.each(["away", "fail"])("not when the end is %s: that is unknown, and held", (verb) => {
    const result = run(step([part(verb)], { undo }));
    expect(result.lines).toEqual([]);
    expect(result.code).not.toBe(77);
  });
  test("stops at the first part that fails: the old primary stays fenced while the other could be promoted", () => {
    const result = run(step([part("later")], { undo: [part("refuse"), part("token")] }));
    expect(result).toMatchObject({ code: 77, lines: [] });
  });
  test("not for an earlier part", () => {
    expect(run(step([part("refuse"), part("token")], { undo })).lines).toEqual([]);
  });
});

test("nothing is dialled where nothing is reached; the wait is waited all the same", () => {
  const gone = step([part("token", { dial: false })]);
  expect(run(gone).lines).toEqual(["state=nothing-to-reach"]);
  const waits = step([part("token", { dial: false })], { wait: 0.1 });
  expect(run(waits).lines).toEqual(["waited=0.1"]);
});

test("a step that is not todo says its state; a skipped one never dials", () => {
  const skipped: Step = { ...step([part("token")]), state: "skipped", check: [part("token")] };
  expect(run(skipped, {}, "check").lines).toEqual(["state=skipped"]);
  const done: Step = { ...step([part("later")]), state: "done" };
  expect(run(done, {}, "check").lines).toEqual(["state=done"]);
});

test("text that would end its own here-document is refused", () => {
  const bad = { ...scripts, "test/say": "x\nSTANDBY_VERB\nrm" };
  expect(() => commandOf(step([part("say")]), wish, bad, "act")).toThrow(/STANDBY_VERB/);
  expect(() => commandOf(step([part("missing")]), wish, scripts, "act")).toThrow(/missing/);
});

test("the digest leaves out the wait and what was seen", () => {
  const text = (one: Step) => commandOf(one, wish, scripts, "digest").stdin;
  const seen = { ...part("say"), seen: { value: "yes" } };
  expect(text(step([seen], { wait: 30 }))).toBe(text(step([part("say", { dial: false })])));
  expect(run(step([seen])).lines).toEqual(["said=yes"]);
});
