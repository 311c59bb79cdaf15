/** The lines a person sees, in the words of `pulumi up --non-interactive`. */
import { Diagnostic, Op } from "./engine";
import { nameOf, typeOf } from "./urn";

/** One line about one resource. */
export interface Line {
  readonly op: Op;
  readonly urn: string;
  readonly at: "start" | "end" | "failure";
  readonly seconds?: number;
  readonly note?: string;
  readonly changed: readonly string[];
}

// Sign, verb while it runs, verb when it is done.
const WORDS: Readonly<Record<Op, readonly [string, string, string]>> = {
  same: ["  ", "", ""],
  create: ["+ ", "creating", "created"],
  update: ["~ ", "updating", "updated"],
  delete: ["- ", "deleting", "deleted"],
  replace: ["+-", "replacing", "replaced"],
  "create-replacement": ["++", "creating replacement", "created replacement"],
  "delete-replaced": ["--", "deleting original", "deleted original"],
  import: ["= ", "importing", "imported"],
  read: ["> ", "reading", "read"],
  refresh: ["~ ", "refreshing", "refreshed"],
};

const COUNTED: readonly (readonly [Op, string, string])[] = [
  ["create", "+ ", "created"],
  ["import", "= ", "imported"],
  ["update", "~ ", "updated"],
  ["replace", "+-", "replaced"],
  ["delete", "- ", "deleted"],
  ["refresh", "~ ", "refreshed"],
];

/** ` ~  command:local:Command shop-fence updated (0.01s) [diff: ~environment]` */
export function resourceLine(line: Line): string {
  const [sign, running, done] = WORDS[line.op];
  const what = `${shortType(typeOf(line.urn))} ${nameOf(line.urn)}`;
  const state =
    line.at === "failure" ? `**${running} failed**` : line.at === "start" ? running : done;
  const time =
    line.op === "same" ? "" : line.at === "end" ? `(${(line.seconds ?? 0).toFixed(2)}s)` : "";
  const { changed } = line;
  const diff = changed.length === 0 ? "" : `[diff: ${changed.map((key) => `~${key}`).join(",")}]`;
  return ` ${sign} ${[what, state, time, diff, line.note].filter((part) => part).join(" ")}`;
}

/** The `Diagnostics:` block: by resource, in the order in which they first spoke. */
export function diagnosticsText(
  diagnostics: readonly Diagnostic[],
  root: string,
): readonly string[] {
  const shown = diagnostics.filter((diagnostic) => diagnostic.severity !== "debug");
  if (shown.length === 0) return [];
  const byUrn = new Map<string, Diagnostic[]>();
  for (const diagnostic of shown) {
    const urn = diagnostic.urn ?? root;
    byUrn.set(urn, [...(byUrn.get(urn) ?? []), diagnostic]);
  }
  const blocks = [...byUrn].flatMap(([urn, list]) => [
    `  ${shortType(typeOf(urn))} (${nameOf(urn)}):`,
    ...list.flatMap((diagnostic) => indent(withPrefix(diagnostic))),
    "",
  ]);
  return ["Diagnostics:", ...blocks];
}

/** `error: ...` and `warning: ...`; what is only information has no prefix. */
export function withPrefix(diagnostic: Diagnostic): string {
  const { severity, message } = diagnostic;
  return severity === "error" || severity === "warning" ? `${severity}: ${message}` : message;
}

/** The `Resources:` block. */
export function summaryText(
  summary: Readonly<Partial<Record<Op, number>>>,
  errored: number,
): readonly string[] {
  const changes = COUNTED.filter(([op]) => (summary[op] ?? 0) > 0);
  const lines = changes.map(([op, sign, word]) => `    ${sign}${String(summary[op])} ${word}`);
  const same = summary.same ?? 0;
  if (same > 0) lines.push(`    ${same} unchanged`);
  if (errored > 0) lines.push(`    ${errored} errored`);
  return ["Resources:", ...lines];
}

function indent(text: string): readonly string[] {
  return text.split("\n").map((line) => `    ${line}`);
}

// random:index/randomPassword:RandomPassword is shown as random:index:RandomPassword.
function shortType(type: string): string {
  return type.replace(/^([^:]+:[^:/]+)\/[^:]+:/, "$1:");
}
