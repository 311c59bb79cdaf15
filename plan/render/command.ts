import type { Desired } from "../desired";
import { followerLines } from "../followers";
import type { Scripts } from "../scripts";
import type { Part, Step } from "../step";
import { otherSite, type SiteId } from "../terms";
import { createLine, shellText, verbName, type Command } from "./shell";

export type { Command } from "./shell";

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
  return shellText({
    ...{ head, scripts, parts: shown, undo: taken, wait, kept: handedOn(step, parts) },
    enter: (site) => wish.sites[site].enter,
    input: (part) => inputLines(part, wish, mode),
  });
}

/** Only what an earlier step is asked for, or a part of this one is to give, may be handed on. */
function handedOn({ needs }: Step, parts: readonly Part[]): readonly string[] {
  return [
    ...new Set([...needs.map(({ fact }) => fact), ...parts.flatMap(({ gives = [] }) => gives)]),
  ];
}

function partsOf(step: Step, mode: Mode): readonly Part[] {
  if (mode === "check") return step.state === "skipped" ? [] : step.check;
  return step.act.kind === "run" ? step.act.parts : [];
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

/** The names of what {@link settings} gives. */
export const SETTING_KEYS: ReadonlySet<string> = new Set([
  ...["name", "site", "peer", "state", "data", "port", "superuser", "database", "socket", "host"],
  ...["peer_host", "peer_port", "replication_user", "stop_bound", "slot_keep", "delta_slot"],
  ...["lag_limit", "bindir", "config", "maintenance_on", "maintenance_off"],
]);

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
