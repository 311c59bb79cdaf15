import type { SiteFacts } from "../observed";
import type { Context } from "../phases/context";
import { factsOf } from "../newest";
import type { Refusal } from "../step";
import { fits } from "./handOver";
import type { SiteId } from "../terms";
import { asRoot, atSite, debianCluster, inProgram } from "./typed";

/** Whether the database can be copied to a site that has none, and can be started there. Judged before anything is copied. */
export function canBeSeeded(context: Context, empty: SiteFacts): readonly Refusal[] {
  const source = factsOf(context.here);
  return [
    ...placeFits(context, empty),
    ...(source === undefined
      ? []
      : [...programsFit(context, empty, source), ...copyFits(context, empty, source)]),
  ];
}

/** A data directory without a database: what lies there instead. */
export function dataFits(
  { wish }: Context,
  site: SiteId,
  { ground }: SiteFacts,
): readonly Refusal[] {
  const { dataDirectory: data } = wish.sites[site].database;
  const { contents, inner } = ground;
  return [
    ...fits(
      contents !== "foreign",
      "data-foreign",
      `site ${site}: ${data} is not empty and holds no database${inner === undefined ? "" : `; ${inner} holds one`}`,
      inner === undefined
        ? `move what is in ${data} away, or ${inProgram(site, 'dataDirectory: "..."')}`
        : inProgram(site, `dataDirectory: "${inner}"`),
    ),
    ...fits(
      contents !== "closed",
      "data-closed",
      `site ${site}: the account that enters cannot look into ${data}, so nobody knows whether it holds a database`,
      "enter as root or as the owner of the data: transport: ssh({ user: ... }).",
    ),
  ];
}

function placeFits({ wish, from }: Context, { ground }: SiteFacts): readonly Refusal[] {
  const { dataDirectory: data, port } = wish.sites[from].database;
  const { contents } = ground;
  return [
    ...fits(
      !ground.mount && contents !== "lost+found",
      "data-mount",
      `site ${from}: ${data} is a mount point: a copy is made beside its place and then given its name, which a mount point does not let go of`,
      `${inProgram(from, `dataDirectory: "${data}/main"`)} (data_directory of its postgresql.conf too, where it has one), or mount that file system one level higher.`,
    ),
    ...fits(
      !ground.portTaken,
      "port-taken",
      `site ${from}: port ${port} is taken already${ground.clusters.length === 0 ? "" : `; Debian's clusters here: ${ground.clusters.join(", ")}`}`,
      `stop what listens there (ss -ltnp), or ${inProgram(from, "port: ...")}`,
    ),
  ];
}

function programsFit(
  { wish, from, to }: Context,
  { ground, programs }: SiteFacts,
  source: SiteFacts,
): readonly Refusal[] {
  const { binDirectory, dataDirectory: data, port } = wish.sites[from].database;
  const version = String(source.version);
  const has = binDirectory === undefined ? ground.majors : [String(programs)];
  const [major, name] = debianCluster(source.ground.configFile) ?? [version, "main"];
  return [
    ...fits(
      has === undefined || source.version === undefined || has.includes(version),
      "versions",
      `site ${from} has the programs of PostgreSQL ${(has ?? []).join(", ") || "no version"}, site ${to} runs ${version}`,
      binDirectory === undefined
        ? atSite(wish, from, [`${asRoot({ ground })}apt-get install -y postgresql-${version}`])
        : `set binDirectory of site ${from} to the programs of PostgreSQL ${version}.`,
    ),
    ...fits(
      source.ground.configFile === undefined ||
        ground.configFile !== undefined ||
        ground.configChoices.length > 0,
      "no-config",
      `site ${from}: no postgresql.conf for ${data}; site ${to} keeps its own outside of the data (${String(source.ground.configFile)}), so none comes with the copy`,
      atSite(wish, from, [
        `pg_createcluster --datadir=${data} --port=${port} --start-conf=manual ${major} ${name}`,
        `mv ${data} ${data}.aside`,
      ]),
    ),
  ];
}

function copyFits(
  { wish, from, to }: Context,
  { ground }: SiteFacts,
  source: SiteFacts,
): readonly Refusal[] {
  const size = source.dataSize;
  const { dataDirectory: data } = wish.sites[from].database;
  const there = wish.sites[to].database;
  const locales = lacking(source.ground.locales, ground.hasLocales, normal, STANDARD);
  const libraries = lacking(source.ground.libraries, ground.hasLibraries, String, []);
  return [
    ...fits(
      size === undefined || ground.free === undefined || ground.free > size * 1.1,
      "disk",
      `site ${from}: ${megabytes(ground.free)} MB are free where ${data} is to be, the database of site ${to} has ${megabytes(size)} MB`,
      "make room there, or name a larger file system as dataDirectory.",
    ),
    ...fits(
      locales.length === 0,
      "locales",
      `site ${from} lacks locales that databases of site ${to} use: ${locales.join(", ")}`,
      atSite(wish, from, [
        `${asRoot({ ground })}apt-get install -y locales`,
        ...locales.map(
          (locale) =>
            `${asRoot({ ground })}localedef -i ${locale.split(".")[0] ?? ""} -f UTF-8 ${locale}`,
        ),
      ]),
    ),
    ...fits(
      libraries.length === 0,
      "libraries",
      `site ${from} lacks libraries of extensions that site ${to} uses: ${libraries.join(", ")}`,
      `install at site ${from} the packages that site ${to} has them from (there: dpkg -S /usr/lib/postgresql/${String(source.version)}/lib/${libraries[0] ?? ""}.so).`,
    ),
    ...fits(
      ground.peerPort !== "closed" || source.ground.listens !== "yes",
      "peer-port",
      `site ${from} gets no answer from site ${to}'s database at ${there.host}:${there.port}, where it listens`,
      `open port ${there.port} of site ${to} to ${wish.sites[from].addresses.v4} (and of site ${from} to ${wish.sites[to].addresses.v4}): nft, ufw, the provider's firewall.`,
    ),
  ];
}

// Every system has them, whatever `locale -a` says.
const STANDARD = ["c", "posix"];
const normal = (locale: string) => locale.toLowerCase().replaceAll("-", "");

/** Names of `used` that are not in `known`; nothing where it is not known what is there. */
function lacking(
  used: readonly string[],
  known: readonly string[] | undefined,
  spell: (name: string) => string,
  always: readonly string[],
): readonly string[] {
  if (known === undefined) return [];
  const there = new Set([...known.map(spell), ...always]);
  return used.filter((name) => !there.has(spell(name)));
}

const megabytes = (bytes: number | undefined) => Math.round((bytes ?? 0) / 1_000_000);
