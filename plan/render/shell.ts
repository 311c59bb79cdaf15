import { scriptText, type Scripts } from "../scripts";
import type { Part } from "../step";
import { EXIT, SITE_IDS, type SiteId } from "../terms";

/**
 * The one place where shell text is made. Checklist, digest, resources and runbook all show these bytes.
 * Danger: nothing that varies between two runs of one plan (run id, facts, secrets) may enter this text.
 */
export interface Command {
  /** A constant line, free of local file names: reads the script on standard input. */
  readonly create: string;
  /** The script: readable in the preview. */
  readonly stdin: string;
}

/** What a text of parts is made from. */
export interface ShellText {
  /** Comment lines. */
  readonly head: string;
  readonly scripts: Scripts;
  /** Scripts that run beside the runner, behind it. */
  readonly more?: readonly string[];
  readonly parts: readonly Part[];
  /** Run in order when the last part refuses or must wait. */
  readonly undo: readonly Part[];
  /** Seconds to wait first. */
  readonly wait?: number | undefined;
  /** Facts that this or another text builds on. */
  readonly kept: readonly string[];
  /** Lines of the runner's before the first part. */
  readonly first?: readonly string[];
  /** Body of the function that enters a site: see sites/transports. */
  readonly enter: (site: SiteId) => string;
  readonly input: (part: Part) => readonly string[];
}

/** The script of a command: the runner, the verbs and a main that carries the parts to their sites. */
export function shellText(text: ShellText): string {
  const { head, scripts, parts, undo, more = [], enter } = text;
  return [
    head,
    ...["runner", ...more].map((name) => scriptText(scripts, name)),
    ...library([...parts, ...undo], scripts),
    ...SITE_IDS.map((site) => entering(site, enter(site))),
    mainOf(text),
  ].join("\n");
}

// Output goes to files: a shared ssh connection that outlives the step would hold a pipe open.
export function createLine(bound: number): string {
  return [
    "umask 077; d=$(mktemp -d) || exit 75; export d;",
    `timeout -k 5 ${bound} sh -s >"$d/o" 2>"$d/e"; r=$?;`,
    'show() { while IFS= read -r l || test -n "$l"; do printf "%s\\n" "$l"; done; };',
    'show <"$d/o"; show <"$d/e" >&2;',
    'rm -rf "$d" >/dev/null 2>&1 & exit "$r"',
  ].join(" ");
}

export const verbName = (verb: string) => verb.replaceAll(/[^a-z0-9]/g, "_");

/** `site_lib VERB` prints both, in one process. */
function library(parts: readonly Part[], scripts: Scripts): readonly string[] {
  const verbs = [...new Set(parts.map((part) => part.verb))];
  return [
    heredoc("site_lib", '"$1" 3', scriptText(scripts, "lib"), "STANDBY_LIB"),
    ...verbs.map((verb) =>
      heredoc(
        `verb_${verbName(verb)}`,
        "cat /dev/fd/3 - ",
        scriptText(scripts, verb),
        "STANDBY_VERB",
      ),
    ),
  ];
}

function heredoc(name: string, reader: string, text: string, mark: string): string {
  if (text.split("\n").includes(mark)) throw new Error(`${name}: a line of the script is ${mark}`);
  return `${name}() {\n  ${reader}<<'${mark}'\n${text.trimEnd()}\n${mark}\n}\n`;
}

function entering(site: SiteId, enter: string): string {
  return `enter_${site}() {\n${enter.trimEnd()}\n}\n`;
}

function mainOf({ kept, parts, undo, wait, first, input }: ShellText): string {
  for (const part of [...parts, ...undo]) demandDeclared(part, kept);
  const lines = ["main() {", ["take_facts", ...kept].join(" "), ...(first ?? [])];
  if (wait !== undefined) lines.push(`sleep ${wait}`, `echo waited=${wait}`);
  parts.forEach((part, index) => {
    const last = index === parts.length - 1;
    const before = parts[index - 1];
    if (!last && part.beside === true) {
      lines.push(...call("beside", part, input(part)));
      return;
    }
    lines.push(...call("part", part, input(part)));
    if (part.gives !== undefined) lines.push(`must_give ${part.gives.join(" ")}`);
    if (before?.beside === true) lines.push(joining(before));
    lines.push(ending(part, undo, last));
  });
  lines.push("return 0", "}", "");
  if (undo.length > 0) lines.push(undoFunction(undo, input));
  lines.push("main </dev/null", "");
  return lines.join("\n");
}

/** Only what is kept may be handed on. */
function demandDeclared(part: Part, kept: readonly string[]): void {
  const stray = Object.values(part.take ?? {}).filter((fact) => !kept.includes(fact));
  if (stray.length > 0 || (part.beside === true && part.gives !== undefined)) {
    throw new Error(`${part.verb} at site ${part.site}: undeclared facts ${stray.join(", ")}`);
  }
}

/** Nothing is undone for a part that ran beside: the next run looks first. */
function joining(part: Part): string {
  return part.optional === true ? 'joined || result="$own"' : 'joined || return "$result"';
}

function call(how: "part" | "beside", part: Part, input: readonly string[]): readonly string[] {
  const secret = part.secret === true ? { password: "password" } : {};
  const takes = Object.entries({ ...part.take, ...secret }).map(([to, from]) => `${to}=${from}`);
  const plain = part.plain === true ? ["plain"] : [];
  const gives = (part.gives ?? []).map((fact) => `gives:${fact}`);
  const words = [...plain, ...gives, ...takes];
  return [
    [how, part.site, verbName(part.verb), Math.ceil(part.bound), ...words].join(" ") +
      " <<'STANDBY_INPUT'",
    ...input,
    "STANDBY_INPUT",
  ];
}

/** Unreached or timed out means unknown: then nothing is undone, the next run looks first (safe hold). */
function ending(part: Part, undo: readonly Part[], last: boolean): string {
  if (part.optional === true) return "";
  if (undo.length === 0 || !last) return 'test "$result" = 0 || return "$result"';
  return `case $result in 0) ;; ${EXIT.later} | ${EXIT.refused}) take_back; return ${EXIT.refused} ;; *) return "$result" ;; esac`;
}

function undoFunction(undo: readonly Part[], input: (part: Part) => readonly string[]): string {
  return [
    "# Danger: the order matters. While the other site could still be promoted, the old primary stays fenced.",
    "take_back() {",
    ...undo.flatMap((part) => [
      ...call("part", part, input(part)),
      part.optional === true ? "" : 'test "$result" = 0 || return "$result"',
    ]),
    "}",
    "",
  ]
    .filter((line) => line !== "")
    .concat("")
    .join("\n");
}
