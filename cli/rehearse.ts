import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { pivotName } from "../plan/desired";
import type { Rehearsal } from "../plan/dns/rehearsal";
import { movedNames, zonesOfState } from "../plan/dns/state";
import { EXIT, SITE_IDS } from "../plan/terms";
import { listZone } from "../sites/cloudflareApi";
import { rehearse } from "../sites/rehearse";
import { accessFromEnvironment } from "./access";

interface RehearseFlags {
  readonly site: string;
  readonly port?: string;
  readonly plain?: true;
  readonly path: string;
  readonly ca?: string;
  readonly days: string;
  readonly json?: string;
}

const SHOWN = 20;

/** `pulumi stack export | standby rehearse --site b`: every name at site b's own addresses, as if the pivot pointed there. */
export function rehearseCommand(program: Command): void {
  program
    .command("rehearse")
    .description("tries every name at a site's own addresses, as if flipped; reads only")
    .requiredOption("--site <a|b>", "the site that would serve")
    .option("--port <port>", "port of the web servers")
    .option("--plain", "HTTP without TLS")
    .option("--path <path>", "what is asked for", "/")
    .option("--ca <file>", "certificates to trust, PEM")
    .option("--days <days>", "days that a certificate must still last", "14")
    .option("--json <file>", "write the result for `standby comment --rehearsal`")
    .action(async (flags: RehearseFlags) => {
      const result = await all(flags);
      if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(result)}\n`);
      process.stdout.write(text(result));
      if (result.works < result.names) process.exitCode = EXIT.later;
    });
}

async function all(flags: RehearseFlags): Promise<Rehearsal> {
  const site = SITE_IDS.find((one) => one === flags.site);
  if (site === undefined) throw new Error(`--site: ${flags.site}: a or b is needed`);
  const zones = zonesOfState(readFileSync(0, "utf8"));
  const access = accessFromEnvironment();
  const results: Rehearsal[] = [];
  for (const zone of zones) {
    const { names, addresses } = movedNames(zone);
    const { records } = await listZone(access, zone.zone, zone.zoneId);
    results.push(
      await rehearse({
        ...{ site, names, addresses: addresses[site], live: records, path: flags.path },
        ...{ pivot: pivotName(zone.zone), now: Date.now(), days: Number(flags.days) },
        ...(flags.port === undefined ? {} : { port: Number(flags.port) }),
        ...(flags.ca === undefined ? {} : { ca: readFileSync(flags.ca, "utf8") }),
        secure: flags.plain !== true,
      }),
    );
  }
  return {
    site,
    names: results.reduce((sum, one) => sum + one.names, 0),
    works: results.reduce((sum, one) => sum + one.works, 0),
    faults: results.flatMap((one) => one.faults),
  };
}

function text({ site, names, works, faults }: Rehearsal): string {
  const number = (n: number) => n.toLocaleString("en-US");
  const head = `site ${site}: ${number(works)} of ${number(names)} would work`;
  const more = faults.length > SHOWN ? [`and ${faults.length - SHOWN} more`] : [];
  const shown = faults.slice(0, SHOWN).map(({ name, what }) => `${name}: ${what}`);
  return `${[faults.length === 0 ? head : `${head}, ${number(faults.length)} not:`, ...shown, ...more].join("\n")}\n`;
}
