import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseFacts } from "../plan/observed";
import { EXIT, SITE_IDS, type SiteId } from "../plan/terms";
import { loadScripts } from "../sites/scripts";
import { runWithSites, sitesOf, verbText, type SiteAccess } from "./siteAccess";

/** `standby delta`: look at the writes that only a returned site holds, and apply them at the one that serves. */

export interface DeltaOptions {
  /** Output of `pulumi stack export`, a file; standard input by default. */
  readonly state: string;
  readonly pair?: string;
}

export interface ApplyOptions extends DeltaOptions {
  /** False: a dry run. The transaction is run and taken back. */
  readonly yes?: boolean;
  /** Where both sites wrote one row: skip it (default), or the old or the new primary's value stands. */
  readonly onConflict: string;
}

type Say = (line: string) => void;
type Sites = Readonly<Record<SiteId, SiteAccess>>;

/** Adds `delta show` and `delta apply`. */
export function deltaCommand(program: Command): void {
  const say: Say = (line) => process.stdout.write(`${line}\n`);
  const delta = program
    .command("delta")
    .description("the acknowledged writes that only a returned site holds");
  const state = ["--state <file>", "output of pulumi stack export", "/dev/stdin"] as const;
  const pair = ["--pair <name>", "the pair, where the program has several"] as const;
  delta
    .command("show")
    .description("what was exported: the summary, what must be done by hand, the first rows")
    .option(...state)
    .option(...pair)
    .action(async (given: DeltaOptions) => {
      process.exitCode = await showDelta(given, say);
    });
  delta
    .command("apply")
    .description("a dry run; with --yes one transaction at the site that serves")
    .option(...state)
    .option(...pair)
    .option("--yes", "commit")
    .option("--on-conflict <policy>", "skip, old or new: whose value stands", "skip")
    .action(async (given: ApplyOptions) => {
      process.exitCode = await applyDelta(given, say);
    });
}

interface Found {
  readonly sites: Sites;
  /** The site that serves, whichever holds the delta. */
  readonly target: SiteAccess | undefined;
  readonly holder: SiteAccess;
  readonly facts: Readonly<Record<string, string>>;
}

/** Shows the newest export. Resolves to the exit code: 75 when a site cannot be asked or none holds a delta. */
export async function showDelta(options: DeltaOptions, say: Say): Promise<number> {
  const found = await findDelta(options, say);
  if (found === undefined) return EXIT.later;
  const folder = found.facts["delta_folder"] ?? "";
  const { code, stdout } = await runWithSites(
    found.sites,
    `enter_${found.holder.site} 'cat "${folder}/summary"; echo; head -n 20 "${folder}/rows.jsonl"' </dev/null\n`,
  );
  say(`site ${found.holder.site}: ${folder}`);
  say(stdout.trimEnd());
  return code === 0 ? 0 : EXIT.later;
}

/** Applies it at the site that serves. Resolves to the exit code of the verb there. */
export async function applyDelta(options: ApplyOptions, say: Say): Promise<number> {
  const { onConflict, yes } = options;
  if (!["skip", "old", "new"].includes(onConflict)) {
    say(`--on-conflict ${onConflict} is none of skip, old, new`);
    return 1;
  }
  const found = await findDelta(options, say);
  if (found === undefined) return EXIT.later;
  const { sites, holder, facts, target } = found;
  if (target === undefined) {
    say("no site says that it is the primary");
    say("HINT: pulumi up first; a delta is applied at the site that serves.");
    return EXIT.later;
  }
  const text = [
    "set -eu",
    carry(holder, target, facts["delta_folder"] ?? ""),
    verbText(target, loadScripts(), "postgres/apply", {
      value: yes === true ? "yes" : "dry",
      action: onConflict,
      token: facts["delta_sha256"] ?? "",
    }),
  ].join("\n");
  const { code, stdout } = await runWithSites(sites, text);
  const done = parseFacts(stdout);
  if (code === 0) {
    const counts = ["inserted", "updated", "key_changed", "deleted", "overruled", "skipped", "same"]
      .map((key) => `${key.replace("_", " ")} ${done[key] ?? "?"}`)
      .join(", ");
    say(`site ${target.site}: ${yes === true ? "applied" : "dry run, nothing kept"}: ${counts}`);
    if (yes !== true) say("HINT: the same with --yes keeps it.");
  }
  return code;
}

/** The file goes through this machine from site to site, and is whole or absent at its end. */
function carry(holder: SiteAccess, target: SiteAccess, folder: string): string {
  const to = `${target.settings["state"] ?? ""}/incoming.sql`;
  return [
    `enter_${holder.site} 'cat "${folder}/delta.sql"' </dev/null |`,
    `  enter_${target.site} 'umask 077; cat >"${to}.new" && mv "${to}.new" "${to}"'`,
  ].join("\n");
}

async function findDelta(options: DeltaOptions, say: Say): Promise<Found | undefined> {
  const sites = sitesOf(readFileSync(options.state, "utf8"), options.pair);
  const scripts = loadScripts();
  const asked = await Promise.all(
    SITE_IDS.map(async (id) => {
      const text = verbText(sites[id], scripts, "postgres/delta", { value: "status" });
      const { code, stdout } = await runWithSites(sites, text);
      if (code !== 0) say(`site ${id}: cannot be asked (${code})`);
      return { holder: sites[id], facts: parseFacts(stdout) };
    }),
  );
  const holding = asked
    .filter(({ facts }) => (facts["delta"] ?? "none") !== "none")
    .sort((one, two) => Number(two.facts["delta_epoch"]) - Number(one.facts["delta_epoch"]));
  const [newest] = holding;
  if (newest === undefined) {
    say("no site holds a delta");
    say("HINT: pulumi up exports one when a returned site has diverged.");
    return undefined;
  }
  const target = asked.find(({ facts }) => facts["primary"] === "yes")?.holder;
  return { sites, target, ...newest };
}
