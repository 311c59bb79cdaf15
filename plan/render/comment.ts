import type { Judgement } from "../dns/judge";
import type { Row, Stray } from "../dns/rows";
import { pivotChange } from "../dns/intent";
import type { RunbookTold, ToldPlan } from "../dns/previewJson";
import type { Rehearsal } from "../dns/rehearsal";
import { unguardedText } from "../supervision";
import { otherSite, unreachable } from "../terms";
import { databaseLine, movedAfter, timesLine } from "./commentLines";

/** The comment on a pull request: what a reviewer reads in half a minute, and everything else folded away. */
export interface CommentInput {
  readonly judgement: Judgement;
  readonly runbooks: readonly RunbookTold[];
  /** What `standby rehearse` found. Absent: nobody looked. */
  readonly rehearsal?: Rehearsal;
}

/** A refused comment must stop the pull request. */
export interface Comment {
  readonly markdown: string;
  readonly refused: boolean;
}

/** The most that GitHub takes. */
export const COMMENT_LIMIT = 65_536;
/** A comment that begins so is ours, and is edited in place. */
export const COMMENT_MARK = "## Standby plan";

const STRAYS_OPEN = 3;

/** Markdown of at most `limit` characters; what was left out is counted. Pure. */
export function comment(input: CommentInput, limit = COMMENT_LIMIT): Comment {
  const { judgement } = input;
  const { strays, errors, plans } = judgement;
  const refused = strays.length > 0 || errors.length > 0;
  const open =
    plans.length === 0
      ? [heading(undefined), "", ...withoutPlan(judgement)]
      : plans.flatMap((told) => [heading(told), "", ...openLines(told, input), ""]);
  const blocks = [
    fold("What refused", errors),
    fold("Unexpected changes", strays.slice(plans.length === 0 ? 0 : STRAYS_OPEN).map(strayLine)),
    ...plans.flatMap((told) => details(told, input)),
    fold("Records", recordTable(judgement.rows)),
    fold(
      "Changes that are not DNS",
      Object.entries(judgement.others).map(([op, n]) => `- ${n} ${op}`),
    ),
  ];
  return { markdown: fitted(open, blocks.flat(), limit), refused };
}

function heading(told: ToldPlan | undefined): string {
  return told === undefined ? COMMENT_MARK : `${COMMENT_MARK}: ${told.pair}`;
}

function withoutPlan({ rows, strays, errors }: Judgement): readonly string[] {
  if (errors.length > 0) {
    return [`**REFUSED: the preview failed.** ${oneLine(errors[0] ?? "").slice(0, 120)}`];
  }
  if (strays.length > 0) {
    return [`**REFUSED: ${count(strays.length, "unexpected change")}**, and no pair told a plan.`];
  }
  return [`**No DNS change**, and no pair told a plan.${rows.length === 0 ? "" : " Look below."}`];
}

/** Verdict, unexpected, pivot, live, target, database, times, digest: eight lines, in the order a reviewer needs them. */
function openLines(told: ToldPlan, input: CommentInput): readonly string[] {
  return [
    verdict(told, input.judgement),
    `- ${unexpected(input.judgement.strays)}`,
    `- ${pivots(told, input.judgement.rows)}`,
    `- ${live(told)}`,
    `- ${target(told, input.rehearsal)}`,
    `- ${databaseLine(told)}`,
    `- ${timesLine(told, input.judgement.rows.length)}`,
    `- ${reverse(told)}`,
  ];
}

function verdict(told: ToldPlan, judgement: Judgement): string {
  const missing = unguardedText(told.unguarded);
  const said = saidOf(told, judgement);
  return missing === "" ? said : `**${missing}.** ${said}`;
}

function saidOf(told: ToldPlan, { rows, strays, errors }: Judgement): string {
  const names = told.dns.zones.reduce((sum, zone) => sum + zone.names, 0);
  const writes = rows.filter((row) => row.op !== "import").length;
  const title = `${direction(told, rows.length)}: `;
  const dns =
    rows.length === 0
      ? "No DNS change"
      : `${count(names, "name")}, ${count(writes, "record")} written, ${count(dnsCalls(told, { rows }), "API call")}, quota left ${quota(told)}`;
  const moved =
    told.dns.intent === "flip" && rows.length > 0
      ? ` Resolvers that honour the TTL have moved ${movedAfter(told, rows.length)} s after it.`
      : "";
  if (strays.length > 0)
    return `**REFUSED, ${count(strays.length, "unexpected change")}.** ${title}${dns}.`;
  if (errors.length > 0) return `**REFUSED, the preview failed.** ${title}${dns}.`;
  return `**${title}${dns}.**${moved}`;
}

function direction({ transition, from, to, dns }: ToldPlan, rows: number): string {
  switch (transition) {
    case "switchover":
    case "failover":
    case "resume":
      return `${capital(transition)} ${from} to ${to}`;
    case "initial":
      return dns.intent === "adopt" ? `Adoption, site ${to} serves` : `Initial, site ${to} serves`;
    case "rejoin":
      return `Rejoin of site ${from}`;
    case "none":
      return rows === 0
        ? `Nothing to do, site ${to} serves`
        : `${capital(dns.intent)}, site ${to} goes on serving`;
    default:
      return unreachable(transition);
  }
}

function unexpected(strays: readonly Stray[]): string {
  if (strays.length === 0) return "Unexpected changes: none.";
  const shown = strays
    .slice(0, STRAYS_OPEN)
    .map((one) => `\`${oneLine(one.where)}\` ${oneLine(one.what)}`);
  const rest = strays.length - shown.length;
  return `**Unexpected:** ${shown.join("; ")}${rest > 0 ? `; and ${rest} more below` : ""}`;
}

function pivots({ dns, to }: ToldPlan, rows: readonly Row[]): string {
  const written = dns.zones.flatMap((zone) => {
    const { name } = pivotChange(zone.zone, to);
    const row = rows.find(
      (one) => one.after?.name === name && one.before?.content !== one.after.content,
    );
    if (row === undefined) return [];
    const more =
      zone.names > zone.examples.length ? `, and ${zone.names - zone.examples.length} more` : "";
    return [
      `\`${name}\`: \`${row.before?.content ?? "no record"}\` becomes \`${row.after?.content ?? ""}\` for ${count(zone.names, "name")} (${zone.examples.join(", ")}${more})`,
    ];
  });
  return written.length === 0 ? "Pivot: no change." : `Pivot: ${written.join("; ")}.`;
}

/** Whether the live zone is what the state believes, and who answers now. */
function live({ dns }: ToldPlan): string {
  const answers = dns.zones.map(({ zone, live: answer }) =>
    dns.zones.length === 1 ? `\`${answer}\`` : `${zone}: \`${answer}\``,
  );
  const now = `Answering now: ${answers.join(", ")}.`;
  if (dns.survey === undefined) return `Live zone: not listed. ${now}`;
  const found = dns.survey.findings.length + dns.survey.more;
  const first = dns.survey.findings[0];
  return found === 0
    ? `Live zone: nothing differs from what is declared (${count(dns.survey.records, "record")} listed). ${now}`
    : `**Live zone: ${count(found, "finding")}**, first: ${oneLine(first?.what ?? "")}. ${now}`;
}

function target({ to }: ToldPlan, rehearsal: Rehearsal | undefined): string {
  if (rehearsal === undefined)
    return `Site ${to} by its own address: not observed (\`standby rehearse\`).`;
  const { names, works, site, faults } = rehearsal;
  if (site !== to)
    return `Site ${to} by its own address: not observed; the rehearsal was of site ${site}.`;
  const first = faults[0];
  const failing =
    first === undefined ? "" : `, ${names - works} not: ${first.name} (${oneLine(first.what)})`;
  return `Site ${to} by its own address, names and certificates: ${works} of ${names} would work${failing}.`;
}

function reverse(told: ToldPlan): string {
  const { digest, to, dns, transition } = told;
  const from = otherSite(to);
  if (transition === "none" || transition === "rejoin")
    return `Plan \`${digest}\`. Reverse: nothing to reverse.`;
  if (transition === "initial")
    return `Plan \`${digest}\`. Reverse: none; the data stays where it is.`;
  const records = dns.zones.map(({ zone }) => {
    const { name, before, after } = pivotChange(zone, to);
    return `\`${name}\` \`${after}\` to \`${before}\``;
  });
  const first = transition === "failover" ? `, once site ${from} has rejoined` : "";
  return `Plan \`${digest}\`. Reverse: \`pulumi config set activeSite ${from} && pulumi up\`${first}: ${records.slice(0, 2).join(", ")}${records.length > 2 ? `, ${records.length - 2} more` : ""}.`;
}

function details(
  told: ToldPlan,
  { runbooks, rehearsal }: CommentInput,
): readonly (readonly string[])[] {
  const book = runbooks.find((one) => one.digest === told.digest);
  const steps = book?.steps.map(
    ({ id, title, bound }) =>
      `- [${told.states[id] === "todo" ? " " : "x"}] **${id}** ${oneLine(title)} (at most ${bound} s)`,
  );
  const survey = told.dns.survey;
  const findings = survey?.findings.map(
    ({ code, what, hint }) => `- ${code}: ${oneLine(what)} HINT: ${oneLine(hint)}`,
  );
  return [
    fold(`Steps of ${told.pair}`, steps ?? []),
    fold(`Live zone against what is declared`, [
      ...(findings ?? []),
      ...(survey !== undefined && survey.more > 0 ? [`- and ${survey.more} more`] : []),
    ]),
    fold(
      "Notes",
      told.warnings.map((one) => `- ${oneLine(one)}`),
    ),
    fold(
      "Names that would not work",
      (rehearsal?.faults ?? []).map(({ name, what }) => `- ${name}: ${oneLine(what)}`),
    ),
  ];
}

function strayLine({ where, what }: Stray): string {
  return `- \`${oneLine(where)}\` ${oneLine(what)}`;
}

function recordTable(rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [];
  const cell = (text: string | undefined) =>
    text === undefined ? "" : `\`${oneLine(text).replaceAll("|", "\\|")}\``;
  return [
    "| op | name | type | before | after | TTL |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows.map(({ op, before, after }) => {
      const one = after ?? before;
      return `| ${op} | ${one?.name ?? ""} | ${one?.type ?? ""} | ${cell(before?.content)} | ${cell(after?.content)} | ${one?.ttl ?? ""} |`;
    }),
  ];
}

/** A block that is closed until somebody opens it; an empty one is nothing. */
function fold(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0
    ? []
    : ["", `<details><summary>${title}</summary>`, "", ...lines, "", "</details>"];
}

/** Cuts whole lines out of the blocks, from the end, until the comment fits; says how many. */
function fitted(open: readonly string[], blocks: readonly string[], limit: number): string {
  const whole = [...open, ...blocks].join("\n").replace(/\n+$/, "\n");
  if (whole.length <= limit) return `${whole.trimEnd()}\n`.slice(0, limit);
  const head = open
    .join("\n")
    .trimEnd()
    .slice(0, limit - 200);
  const room = limit - head.length - 200;
  const kept: string[] = [];
  let used = 0;
  for (const line of blocks) {
    if (used + line.length + 1 > room) break;
    kept.push(line);
    used += line.length + 1;
  }
  const depth =
    kept.filter((line) => line.startsWith("<details>")).length -
    kept.filter((line) => line === "</details>").length;
  const close = depth > 0 ? "\n\n</details>" : "";
  return `${head}\n${kept.join("\n")}${close}\n\n${blocks.length - kept.length} lines are left out: the comment is at its limit.\n`;
}

/** The list before, the writes; around a flip the claim (make, read back, remove the old one) and two looks at each pivot. */
function dnsCalls(told: ToldPlan, { rows }: Pick<Judgement, "rows">): number {
  const { intent, zones, survey } = told.dns;
  const looks = intent === "flip" ? 3 + 2 * zones.length + 2 * (zones.length + 1) : 0;
  return rows.length + looks + (survey?.calls ?? 0);
}

function quota({ dns }: ToldPlan): string {
  return dns.survey?.quota === undefined ? "not read" : String(dns.survey.quota);
}

export const oneLine = (text: string) =>
  text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[<>]/g, (c) => (c === "<" ? "&lt;" : "&gt;"))
    .trim();
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
