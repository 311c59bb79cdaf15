import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { InstalledApp } from "../app/install";
import { LEDGER_TABLE } from "../ledger/ledger";
import { JOBS_TABLE } from "../tables";
import type { Host } from "./host";
import { ADDRESSES, RUNNER } from "./room";

/** The application's own login: over TCP, with a password, and not a superuser. */
export const SHOP = { user: "shop", password: 'shop\'s "own" pass\\word', database: "postgres" };
/** Of stacks/example and README. */
export const CLUSTER = {
  version: "15",
  data: "/var/lib/postgresql/15/main",
  config: "/etc/postgresql/15/main",
  port: 5432,
} as const;
/** The default state folder of a pair called shop. */
export const STATE = "/var/lib/standby/shop";
export const WEB_PORT = 8080;
const UNITS = { "shop-web": "web", "shop-jobs": "worker" } as const;

/** What a fresh host of a provider has: a name, a resolver, and nobody's identity. The host is off. */
export function furnish(root: string, name: string): void {
  const put = (path: string, text: string) => {
    writeFileSync(join(root, path), text);
  };
  put("etc/hostname", `${name}\n`);
  put("etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost\n`);
  put("etc/machine-id", "");
  put("etc/resolv.conf", `nameserver ${RUNNER}\noptions timeout:1 attempts:1\n`);
}

/** The application as an administrator would install it: programs in /opt/shop, units of its own, a user of its own. */
export function installShop(host: Host, site: string, app: InstalledApp): void {
  const root = host.disk.root;
  cpSync(app.folder, join(root, "opt/shop"), { recursive: true });
  const settings = {
    site,
    host: "0.0.0.0",
    webPort: WEB_PORT,
    database: {
      ...{ host: "127.0.0.1", port: CLUSTER.port, user: SHOP.user },
      ...{ password: SHOP.password, name: SHOP.database },
    },
    maintenanceFile: `${STATE}/maintenance`,
  };
  mkdirSync(join(root, "etc/shop"));
  writeFileSync(join(root, "etc/shop/settings.json"), JSON.stringify(settings));
  for (const [unit, program] of Object.entries(UNITS)) {
    const text = unitText(program);
    writeFileSync(join(root, `etc/systemd/system/${unit}.service`), text);
  }
}

function unitText(program: string): string {
  return `[Unit]
Description=The shop (${program})
After=network.target

[Service]
User=shop
ExecStart=${NODE} /opt/shop/${program}.js /etc/shop/settings.json
Restart=no

[Install]
WantedBy=multi-user.target
`;
}

/** Node of this machine, as the hosts see it. */
const NODE = "/opt/shop/node";
export function borrowedNode(): Readonly<Record<string, string>> {
  return { [NODE]: process.execPath };
}

/** What a site's database is before the first update. */
export type ClusterState =
  /** A running cluster with the application's role and tables. */
  | "data"
  /** A running cluster as Debian makes it when PostgreSQL is installed. */
  | "debian"
  /** Debian's cluster was stopped and its data removed; the configuration is the application's. */
  | "empty"
  /** PostgreSQL is installed and Debian's cluster was dropped. */
  | "none";

/** Makes the cluster of a host that is up. `rules`: who else may log in, before Debian's own lines. */
export async function makeCluster(host: Host, state: ClusterState, listen: string): Promise<void> {
  await host.must(["useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", "shop"]);
  if (state === "none") return;
  const { version } = CLUSTER;
  await host.must(["pg_createcluster", version, "main", "--", "--data-checksums"]);
  if (state !== "debian") await configure(host, listen);
  if (state === "empty") await host.must(["sh", "-c", `rm -rf ${CLUSTER.data}/*`]);
  else await startCluster(host);
  if (state === "data") await host.must(psql(), tables());
}

/** Who may log in, and where the server listens: the application's own part of /etc/postgresql. */
export async function configure(host: Host, listen = "*"): Promise<void> {
  const { config } = CLUSTER;
  await host.must(["sh", "-c", `cat >>${config}/pg_hba.conf`], shopRules());
  await host.must(
    ["sh", "-c", `cat >>${config}/postgresql.conf`],
    `listen_addresses = '${listen}'\n`,
  );
}

function shopRules(): string {
  const who = [
    `${RUNNER}/32`,
    "127.0.0.1/32",
    ...Object.values(ADDRESSES).map(({ v4 }) => `${v4}/32`),
  ];
  return who.map((from) => `host ${SHOP.database} ${SHOP.user} ${from} scram-sha-256\n`).join("");
}

async function startCluster(host: Host): Promise<void> {
  const { version } = CLUSTER;
  const start =
    host.make.name === "systemd"
      ? ["systemctl", "start", `postgresql@${version}-main`]
      : ["pg_ctlcluster", version, "main", "start"];
  await host.must(start);
}

/** Process id of the cluster's postmaster, as the host counts; 0 while there is none. */
export async function postmasterOf(host: Host): Promise<number> {
  // A power cut leaves the file of a process that is gone.
  const look = 'read -r p <"$1/postmaster.pid" && [ "/proc/$p/cwd" -ef "$1" ] && echo "$p"';
  const { stdout } = await host.run(["sh", "-c", look, "sh", CLUSTER.data]);
  return Number(stdout.trim() || "0");
}

/** psql as the cluster's superuser, with statements on its stdin. */
export function psql(): readonly string[] {
  const as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
  return [...as, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1"];
}

function tables(): string {
  return [
    "create role root superuser login;",
    `create role ${SHOP.user} login password '${SHOP.password.replaceAll("'", "''")}';`,
    `grant create on schema public to ${SHOP.user};`,
    `set role ${SHOP.user};`,
    `${LEDGER_TABLE};`,
    `${JOBS_TABLE};`,
  ].join("\n");
}
