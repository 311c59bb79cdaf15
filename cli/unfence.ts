import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { parseFacts } from "../plan/observed";
import { EXIT, otherSite, SITE_IDS, type SiteId } from "../plan/terms";
import { sitesOf, visitSite, type Sites } from "./siteAccess";

/** `standby unfence`: a person's override. Starts a site as the primary although nothing proves that it may. */

export interface UnfenceOptions {
  /** The site that shall take writes. */
  readonly site: string;
  /** Output of `pulumi stack export`, a file. */
  readonly state: string;
  readonly pair?: string;
  /** `I-am-sure NAME`, NAME being the pair's; asked for on the terminal by default. */
  readonly confirm?: string;
}

type Say = (line: string) => void;
/** Asks a person; resolves to what was typed. */
type Ask = (question: string) => Promise<string>;

/** Seconds that a site has to say what it is, and to start. */
const LOOK_SECONDS = 30;
const START_SECONDS = 120;

/** Adds `unfence`. */
export function unfenceCommand(program: Command): void {
  program
    .command("unfence")
    .description("by hand only: start a site as the primary although nothing proves that it may")
    .requiredOption("--site <a|b>", "the site that shall take writes")
    .requiredOption("--state <file>", "output of pulumi stack export")
    .option("--pair <name>", "the pair, where the program has several")
    .option("--confirm <text>", "I-am-sure NAME, the pair's name; asked for when it is missing")
    .action(async (given: UnfenceOptions) => {
      const say: Say = (line) => process.stdout.write(`${line}\n`);
      process.exitCode = await unfence(given, say, askTerminal);
    });
}

async function askTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A closed input is no confirmation.
  const typed = await Promise.race([
    terminal.question(question),
    new Promise<string>((resolve) => terminal.once("close", () => resolve(""))),
  ]);
  terminal.close();
  return typed;
}

/** What one site said; undefined when it was not reached. */
type Seen = Readonly<Record<SiteId, Readonly<Record<string, string>> | undefined>>;

/**
 * Says what both sites are, asks for the confirmation, and unfences. Resolves to the exit code: 0 the site takes writes, 75
 * it was not reached or not started, 77 refused or not confirmed, 1 there is no such site.
 */
export async function unfence(options: UnfenceOptions, say: Say, ask: Ask): Promise<number> {
  const site = SITE_IDS.find((id) => id === options.site);
  if (site === undefined) {
    say(`--site ${options.site} is neither a nor b`);
    return 1;
  }
  const sites = sitesOf(readFileSync(options.state, "utf8"), options.pair);
  const seen = await look(sites, say);
  const stopped = stops(site, seen, say);
  if (stopped !== undefined) return stopped;
  const wanted = `I-am-sure ${sites[site].settings["name"] ?? ""}`;
  const typed =
    options.confirm ?? (await ask(`Type "${wanted}" to start site ${site} as the primary: `));
  if (typed.trim() !== wanted) {
    say(`not confirmed: nothing was touched`);
    say(`HINT: type "${wanted}", or give it as --confirm.`);
    return EXIT.refused;
  }
  const { code, stdout, stderr } = await visitSite(sites, {
    ...{ site, verb: "postgres/unfence", bound: START_SECONDS },
    input: { value: wanted, action: `${userInfo().username}@${hostname()}` },
  });
  if (stderr.trim() !== "") say(stderr.trimEnd());
  if (code === 0 && parseFacts(stdout)["role"] === "primary") {
    say(`site ${site} takes writes; written to its log/unfence`);
    say(`HINT: set activeSite to ${site} and run pulumi up as soon as it can reach both sites.`);
  }
  return code ?? EXIT.later;
}

async function look(sites: Sites, say: Say): Promise<Seen> {
  const visits = await Promise.all(
    SITE_IDS.map(async (site) => {
      const visit = { site, verb: "postgres/observe", bound: LOOK_SECONDS, input: {} };
      return { site, ...(await visitSite(sites, visit)) };
    }),
  );
  const [a, b] = visits.map(({ site, code, stdout, stderr }) => {
    if (code !== 0) {
      say(`site ${site}: not reached (${String(code)}); what it is, is not known`);
      if (stderr.trim() !== "") say(stderr.trim().split("\n").slice(0, 3).join("\n"));
      return undefined;
    }
    const facts = parseFacts(stdout);
    say(described(site, facts));
    return facts;
  });
  return { a, b };
}

function described(id: SiteId, facts: Readonly<Record<string, string>>): string {
  const known = (key: string) => facts[key] ?? "-";
  const record = `epoch ${known("record_epoch")} to ${known("record_to")}, promoted ${known("promoted")}`;
  const why =
    known("held_why") === "-" ? "" : `; its guard: ${known("held_why").replaceAll("_", " ")}`;
  return `site ${id}: ${known("role")}, timeline ${known("timeline")}, ${known("lsn")}; signal ${known("signal")}; ${record}${why}`;
}

/** The exit code where there is nothing to do or nothing may be done. */
function stops(site: SiteId, seen: Seen, say: Say): number | undefined {
  const peer = otherSite(site);
  const [here, there] = [seen[site], seen[peer]];
  if (here === undefined) {
    say(`HINT: restore the connection to site ${site} and run it again.`);
    return EXIT.later;
  }
  if (here["role"] === "primary") {
    say(`site ${site} takes writes already`);
    return EXIT.holds;
  }
  if (there?.["role"] === "primary" || there?.["role"] === "armed") {
    say(`refused: site ${peer} accepts writes; two sites that do lose acknowledged writes`);
    say(`HINT: pulumi config set activeSite ${site} && pulumi up moves the primary there.`);
    return EXIT.refused;
  }
  if (there === undefined) {
    say(
      `Danger: site ${peer} was not reached, so nothing proves that it does not accept writes. Make sure otherwise: switched off, network cut.`,
    );
  }
  return undefined;
}
