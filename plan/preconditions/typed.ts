import type { Desired } from "../desired";
import type { SiteFacts } from "../observed";
import type { SiteId } from "../terms";

/** Lines that a person types at a site, ready to paste. */
export function atSite(wish: Desired, site: SiteId, lines: readonly string[]): string {
  return [
    `at site ${site} (${wish.sites[site].enterLine}):`,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}

/** A line of the pair's own program. */
export const inProgram = (site: SiteId, line: string): string =>
  `in the program, at sites.${site}: postgres: { ${line} }`;

/** The account that owns the data, as a prefix of a command; nothing where the site is entered as that account. */
const asOwner = ({ ground }: SiteFacts): string =>
  ground.account === undefined ? "" : `runuser -u ${ground.account} -- `;

/** What stands before a command that only root may run; nothing where the site is entered as root. */
export const asRoot = ({ ground }: Pick<SiteFacts, "ground">): string =>
  ground.account === undefined ? "sudo " : "";

/** One psql line for SQL statements, each in its own transaction. */
export function psqlLine(
  wish: Desired,
  site: SiteId,
  facts: SiteFacts,
  statements: readonly string[],
): string {
  const { port, superuser, socketDirectory: socket } = wish.sites[site].database;
  return [
    `${asOwner(facts)}psql`,
    ...(socket === "/var/run/postgresql" ? [] : [`-h ${socket}`]),
    ...(port === 5432 ? [] : [`-p ${port}`]),
    ...(superuser === "postgres" ? [] : [`-U ${superuser} -d postgres`]),
    ...statements.map((statement) => `-c "${statement}"`),
  ].join(" ");
}

/** `VERSION/NAME` of Debian's cluster that a configuration file belongs to. */
export function debianCluster(file: string | undefined): readonly [string, string] | undefined {
  const match = /^\/etc\/postgresql\/([^/]+)\/([^/]+)\/[^/]+$/.exec(file ?? "");
  return match?.[1] === undefined || match[2] === undefined ? undefined : [match[1], match[2]];
}

/** How PostgreSQL of a site is stopped or restarted by hand before a pair is made of it. */
export function serverLine(
  wish: Desired,
  site: SiteId,
  facts: SiteFacts,
  act: "stop" | "restart",
): string {
  const cluster = debianCluster(facts.ground.configFile);
  if (cluster !== undefined) {
    const [version, name] = cluster;
    // The unit's name cannot carry a hyphen of the cluster's.
    return facts.ground.systemd && !name.includes("-")
      ? `${asRoot(facts)}systemctl ${act} postgresql@${version}-${name}`
      : `pg_ctlcluster ${version} ${name} ${act}`;
  }
  const { dataDirectory, binDirectory } = wish.sites[site].database;
  const folder = binDirectory ?? `/usr/lib/postgresql/${String(facts.version)}/bin`;
  return `${asOwner(facts)}${folder}/pg_ctl ${act} -D ${dataDirectory} -m fast`;
}
