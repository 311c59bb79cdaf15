import type { Desired } from "../desired";
import { followerLines } from "../followers";
import { scriptText, type Scripts } from "../scripts";
import type { Part, Step } from "../step";
import { EXIT, otherSite, SITE_IDS, type SiteId } from "../terms";

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

/** Which text: what the step does, or what it may do while it is not todo. */
export type Mode = "act" | "check" | "digest";

/**
 * The shell text of a step that runs verbs. Facts travel in $FACTS, the password in $SECRET, never as shell source. Its last
 * line calls main: a text that was cut short does nothing.
 */
export function commandOf(step: Step, wish: Desired, scripts: Scripts, mode: Mode): Command {
  const bound = Math.ceil(step.bound) + 10;
  return { create: createLine(bound), stdin: script(step, wish, scripts, mode) };
}

// Output goes to files: a shared ssh connection that outlives the step would hold a pipe open.
function createLine(bound: number): string {
  return [
    "umask 077; d=$(mktemp -d) || exit 75; export d;",
    `timeout -k 5 ${bound} sh -s >"$d/o" 2>"$d/e"; r=$?;`,
    'show() { while IFS= read -r l || test -n "$l"; do printf "%s\\n" "$l"; done; };',
    'show <"$d/o"; show <"$d/e" >&2;',
    'rm -rf "$d" >/dev/null 2>&1 & exit "$r"',
  ].join(" ");
}

function script(step: Step, wish: Desired, scripts: Scripts, mode: Mode): string {
  const parts = partsOf(step, mode);
  const undo = mode === "check" || step.act.kind !== "run" ? [] : (step.act.undo ?? []);
  const dialled = (list: readonly Part[]) =>
    mode === "digest" ? list : list.filter((part) => part.dial);
  const shown = dialled(parts);
  const taken = dialled(undo);
  const head = `# ${step.id}: ${step.title}\n# ${step.why}\n`;
  const wait = mode === "act" && step.act.kind === "run" ? step.act.wait : undefined;
  if (shown.length === 0 && wait === undefined) {
    return `${head}echo state=${mode === "act" ? "nothing-to-reach" : step.state}\n`;
  }
  return [
    head,
    scriptText(scripts, "runner"),
    ...library([...shown, ...taken], scripts),
    ...SITE_IDS.map((site) => enter(site, wish)),
    mainOf(handedOn(step, parts), shown, taken, wait, (part) => inputLines(part, wish, mode)),
  ].join("\n");
}

function partsOf(step: Step, mode: Mode): readonly Part[] {
  if (mode === "check") return step.state === "skipped" ? [] : step.check;
  return step.act.kind === "run" ? step.act.parts : [];
}

const verbName = (verb: string) => verb.replaceAll(/[^a-z0-9]/g, "_");

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

function enter(site: SiteId, wish: Desired): string {
  return `enter_${site}() {\n${wish.sites[site].enter.trimEnd()}\n}\n`;
}

function mainOf(
  kept: readonly string[],
  parts: readonly Part[],
  undo: readonly Part[],
  wait: number | undefined,
  input: (part: Part) => readonly string[],
): string {
  for (const part of [...parts, ...undo]) demandDeclared(part, kept);
  const lines = ["main() {", ["take_facts", ...kept].join(" ")];
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

/** Only what an earlier step is asked for, or a part of this one is to give, may be handed on. */
function handedOn({ needs }: Step, parts: readonly Part[]): readonly string[] {
  return [
    ...new Set([...needs.map(({ fact }) => fact), ...parts.flatMap(({ gives = [] }) => gives)]),
  ];
}

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

function inputLines(part: Part, wish: Desired, mode: Mode): readonly string[] {
  return Object.entries({
    ...settings(part.site, wish),
    step_bound: String(part.bound),
    ...part.input,
    ...(mode === "digest" ? {} : part.seen),
  })
    .filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${value}`)
    .concat(KNOWS_SERVICES.has(part.verb) ? services(wish) : [])
    .concat(KNOWS_FOLLOWERS.has(part.verb) ? followerLines(wish, part.site) : []);
}

// The guard stops them by itself, so its configuration has them too.
const KNOWS_SERVICES = new Set(["site/services", "site/install", "postgres/observe"]);

const KNOWS_FOLLOWERS = new Set([
  "postgres/preflight",
  "postgres/fence",
  "postgres/repoint",
  "postgres/settle",
]);

/** What a site is told about itself and its peer, whatever the verb. */
export function settings(site: SiteId, wish: Desired): Readonly<Record<string, string>> {
  const here = wish.sites[site];
  const peer = wish.sites[otherSite(site)];
  return {
    name: wish.name,
    site,
    peer: otherSite(site),
    state: here.stateDirectory,
    data: here.database.dataDirectory,
    port: String(here.database.port),
    superuser: here.database.superuser,
    database: here.database.database,
    socket: here.database.socketDirectory,
    host: here.database.host,
    peer_host: peer.database.host,
    peer_port: String(peer.database.port),
    replication_user: here.database.replicationUser,
    stop_bound: String(here.database.stopSeconds),
    slot_keep: here.database.slotKeep,
    delta_slot: here.database.deltaSlot ?? "",
    lag_limit: String(wish.limits.lagBytes),
    bindir: here.database.binDirectory ?? "",
    config: here.database.configFile ?? "",
    maintenance_on: wish.maintenance?.on ?? "",
    maintenance_off: wish.maintenance?.off ?? "",
  };
}

/** What a site is told about the application's services, in their order. */
export function services(wish: Desired): readonly string[] {
  return wish.services.flatMap((service) => [
    `service=${service.name} ${service.kind} ${service.wave}`,
    `service_start=${service.start}`,
    `service_stop=${service.stop}`,
    `service_healthy=${service.healthy}`,
  ]);
}

/** One ad-hoc part as a whole script: what sites/ sends to observe. */
export function partCommand(part: Part, wish: Desired, scripts: Scripts): Command {
  const step: Step = {
    id: verbName(part.verb),
    phase: "preflight",
    title: `${part.verb} at site ${part.site}`,
    why: "Read-only.",
    state: "todo",
    bound: part.bound,
    needs: [],
    act: { kind: "run", parts: [part] },
    check: [],
    undo: "nothing to take back",
  };
  return commandOf(step, wish, scripts, "act");
}
