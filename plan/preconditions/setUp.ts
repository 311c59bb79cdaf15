import type { SiteFacts } from "../observed";
import type { Context } from "../phases/context";
import { factsOf } from "../newest";
import type { Refusal } from "../step";
import { differ } from "../otherCluster";
import { SITE_IDS, type SiteId } from "../terms";
import { canBeSeeded, dataFits } from "./empty";
import { fits, lowerThan } from "./handOver";
import { asRoot, atSite, inProgram, psqlLine, serverLine } from "./typed";

/**
 * What a host must have before a pair is made of it, all of it judged before anything is written, so that one restart and one
 * round of typing are enough.
 */
export function setUp(context: Context): readonly Refusal[] {
  const { transition } = context.decision;
  const first = transition === "initial" && !context.promoted;
  if (!first && transition !== "rejoin") return [];
  return SITE_IDS.flatMap((site) => {
    const facts = factsOf(context.seen.sites[site]);
    if (facts === undefined) return [];
    return [
      ...(first ? hostFits(context, site, facts) : []),
      ...(first && serves(context, site) ? serverFits(context, site, facts) : []),
      ...(site === context.from || first ? dataFits(context, site, facts) : []),
      ...(site === context.from && facts.role === "absent" && facts.rejoin === undefined
        ? canBeSeeded(context, facts)
        : []),
    ];
  });
}

/** The site to start from, or a standby of it. What else runs there is not of this pair. */
function serves({ to, here, left }: Context, site: SiteId): boolean {
  const [mine, theirs] = [factsOf(here), factsOf(left)];
  if (site === to) return mine?.role !== "absent" && !namesBlank(mine, theirs);
  return mine?.systemIdentifier !== undefined && mine.systemIdentifier === theirs?.systemIdentifier;
}

/** The wish names an empty cluster beside another database: nothing is to be changed there. */
function namesBlank(mine: SiteFacts | undefined, theirs: SiteFacts | undefined): boolean {
  if (mine === undefined || theirs === undefined || !differ(mine, theirs)) return false;
  return mine.ground.blank === "yes" && theirs.ground.blank !== "yes";
}

/** What stops nothing yet. */
export function setUpWarnings(context: Context): readonly string[] {
  return SITE_IDS.flatMap((site) => {
    const facts = factsOf(context.seen.sites[site]);
    if (facts?.ground.mount !== true || facts.role === "absent") return [];
    const { dataDirectory } = context.wish.sites[site].database;
    return [
      `site ${site}: ${dataDirectory} is a mount point: it cannot be put aside, so after a failover this site could be neither rewound nor copied anew there; mount that file system one level higher`,
    ];
  });
}

function hostFits(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { wish } = context;
  const { ground } = facts;
  const { dataDirectory: data, configFile } = wish.sites[site].database;
  return [
    ...fits(
      ground.configChoices.length < 2,
      "config-file",
      `site ${site}: ${ground.configChoices.length} configurations name ${data} as their data_directory: ${ground.configChoices.join(", ")}`,
      inProgram(site, `configFile: "${ground.configChoices[0] ?? ""}"`),
    ),
    ...fits(
      ground.configReadable,
      "config-file",
      `site ${site}: ${String(configFile ?? ground.configFile)} cannot be read`,
      `name the server's own file (show config_file), ${inProgram(site, 'configFile: "..."')}; without the line it is looked for.`,
    ),
    ...fits(
      ground.link === undefined,
      "data-link",
      `site ${site}: ${data} is a symbolic link to ${String(ground.link)}; its target could be started while it is rewound or copied`,
      inProgram(site, `dataDirectory: "${String(ground.link)}"`),
    ),
    ...blocked(context, site, facts),
    ...unmade(context, site, facts),
    ...home(context, site, facts),
  ];
}

function blocked(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { ground } = facts;
  const { stateDirectory, database } = context.wish.sites[site];
  const who = ground.account ?? "this account";
  const at = ground.blocked;
  if (at === undefined) return [];
  const own = at === stateDirectory || at === database.dataDirectory;
  return [
    {
      code: "folder-closed",
      what: `site ${site}: ${who} cannot enter ${at}, which leads to ${at === database.dataDirectory || !`${stateDirectory}/`.startsWith(`${at}/`) ? database.dataDirectory : stateDirectory}`,
      hint: atSite(context.wish, site, [
        own && ground.account !== undefined
          ? `chown ${ground.account}: ${at}`
          : `${asRoot(facts)}chmod o+x ${at}`,
      ]),
    },
  ];
}

function unmade(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { unmade: folder, enteredAs: who = "postgres", blocked: closed } = facts.ground;
  if (folder === undefined || closed !== undefined) return [];
  return [
    {
      code: "folder-closed",
      what: `site ${site}: ${who} cannot make the state folder ${folder}`,
      hint: atSite(context.wish, site, [`${asRoot(facts)}install -d -o ${who} -m 0700 ${folder}`]),
    },
  ];
}

function home(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { ground } = facts;
  if (ground.homeLacking === undefined) return [];
  const who = ground.account ?? "this account";
  const folder = ground.home;
  const what =
    ground.homeLacking === "missing" ? "does not exist" : `cannot be used by ${who} for a .pgpass`;
  return [
    {
      code: "home",
      what: `site ${site}: the home folder of ${who} (${folder ?? "none is set"}) ${what}; the pair's password is kept in its .pgpass`,
      hint: atSite(context.wish, site, [
        folder === undefined
          ? `${asRoot(facts)}usermod --home /var/lib/postgresql ${who}`
          : `${asRoot(facts)}install -d -o ${who} -m 0700 ${folder}`,
      ]),
    },
  ];
}

/** A server that runs: who may enter it, and what only a restart changes, with the lines for one restart. */
function serverFits(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { wish } = context;
  const { ground } = facts;
  const { superuser } = wish.sites[site].database;
  return [
    ...fits(
      ground.superuser !== "off",
      "superuser",
      `site ${site}: role ${superuser} is no superuser`,
      `in the program, at sites.${site}: postgres: { superuser: "..." }, one that the owner's account reaches by the socket without a password.`,
    ),
    ...settings(context, site, facts),
  ];
}

function settings(context: Context, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const { wish } = context;
  const { ground } = facts;
  const other = site === context.to ? context.left : context.here;
  const heard = factsOf(other)?.ground.peerPort === "open";
  const { host } = wish.sites[site].database;
  const source = site === context.from ? factsOf(context.here) : undefined;
  const needed = [
    ...ground.unmet.map((one) => {
      const [name = "", wanted = "", is = ""] = one.split(":");
      return { name, wanted, says: `${name} is ${is}` };
    }),
    ...(ground.listens === "no" && !heard
      ? [
          {
            name: "listen_addresses",
            wanted: "'*'",
            says: `listen_addresses is '${ground.listen ?? ""}', by which nobody reaches ${host}`,
          },
        ]
      : []),
    ...(source === undefined ? [] : lowerThan(facts, source)).map(({ name, is, wanted }) => ({
      ...{ name, wanted, says: `${name} is ${is}, at the primary ${wanted}` },
    })),
  ];
  if (needed.length === 0) return [];
  return [
    {
      code: "settings",
      what: `site ${site}: PostgreSQL needs other settings, which it takes up at a restart: ${needed.map(({ says }) => says).join("; ")}`,
      hint: `one restart is enough; ${atSite(wish, site, [
        psqlLine(
          wish,
          site,
          facts,
          needed.map(({ name, wanted }) => `alter system set ${name} = ${wanted}`),
        ),
        serverLine(wish, site, facts, "restart"),
      ])}`,
    },
  ];
}
