import type * as pulumi from "@pulumi/pulumi";
import type { Transport } from "../sites/transports/transport";
import type { CloudflareArgs } from "./dns/cloudflare";

/** Arguments of {@link StandbyPair}. Only inputs marked as such may be outputs of other resources: the rest decides the plan. */
export interface StandbyPairArgs {
  /** The site that shall serve. Setting it and running `pulumi up` fails over; setting it back fails back. */
  activeSite: string;
  /** The two sites. They must differ in provider or region and in every address; use two providers. */
  sites: { a: SiteArgs; b: SiteArgs };
  /** The database that both sites hold. One engine for now. */
  database: { postgres: PostgresArgs };
  /** Services of the application, the same at both sites. @default none */
  services?: readonly ServiceArgs[];
  /** Commands that switch maintenance mode on and off at a site, besides the file `maintenance` in its state directory. @default none */
  maintenance?: { on: string; off: string };
  /** Names that clients use, and where they are kept. */
  dns: { cloudflare: CloudflareArgs };
  /** What the guard at each site may do by itself. */
  guard?: GuardArgs;
  /** Limits that refuse or end a step. */
  limits?: LimitArgs;
  /**
   * Private key (Ed25519, PKCS #8 PEM) that signs the witness. Danger: who has it can forbid a site to start its database;
   * keep it in secret config. Its public half goes to the sites.
   */
  witnessKey: pulumi.Input<string>;
  /** Public halves of further witness keys that sites still trust, for a change of keys. @default none */
  witnessKeys?: readonly { id: string; raw: string }[];
  /**
   * Epoch of the one failover that may promote although acknowledged writes may be left behind. Danger: those writes are
   * on no serving site until the lost one returns. It names an epoch, so it never lingers. @default none
   */
  acceptLoss?: number | undefined;
  /**
   * Epoch of the one transition that may go on although nothing proves that the other site has stopped accepting writes.
   * Danger: if it has not, two sites accept writes. @default none
   */
  acceptUnproven?: number | undefined;
  /**
   * Epoch whose failover left a site with writes of its own that nobody wants: its rejoin may overwrite them without an
   * exported delta. Danger: acknowledged writes are destroyed, and no copy of them is left. @default none
   */
  discardDelta?: number | undefined;
  /** Digest of the one plan that may run, as a preview prints it. @default any plan */
  approvedPlan?: string | undefined;
  /** `none`: do not dial the sites, show only the DNS part; for previews without keys. Updates then refuse. @default "ssh" */
  observe?: "ssh" | "none";
  /**
   * True: DNS records of the pair that exist already enter the state instead of being created; for one update, when the state
   * was lost. Refused while a transition is due. Danger: leave it on no longer than that; a record that the state knows by
   * another way would be replaced. @default false
   */
  adopt?: boolean;
  /**
   * True: the pair is let go. Guards are removed and nothing is protected, so that `pulumi destroy` can take the DNS records
   * and the state away; databases, slots and data stay as they are. Refused while a transition is due. Danger: from then on
   * nothing stops a returning old primary from accepting writes. @default false
   */
  release?: boolean;
  /** False: pivot, witness, names and password may be deleted. For demos and for taking a pair down. @default true */
  protect?: boolean;
}

/** One provider's place. */
export interface SiteArgs {
  /** Short name of the hosting provider, such as `hetzner`. */
  provider: string;
  /** Short name of the region or data centre. */
  region: string;
  /** Public addresses that clients reach; both sites need the same families. */
  addresses: { v4: string; v6?: string };
  /** How the machine that runs pulumi gets there. */
  transport: Transport;
  /** Folder for epoch, run, token and permit, outside the data directory, 0700. @default "/var/lib/standby/NAME" */
  stateDirectory?: string;
  /** What differs from `database.postgres` at this site. @default nothing */
  postgres?: Partial<PostgresArgs>;
}

/** PostgreSQL. Every value may be overridden by a site. */
export interface PostgresArgs {
  /** PGDATA. Danger: it must not be a mount point itself; put it one level below. */
  dataDirectory: string;
  /** @default 5432 */
  port?: number;
  /** Address by which the other site's database and the clients reach this one. @default the site's v4 address */
  host?: string;
  /** Superuser of the database, reached by the socket without a password. @default "postgres" */
  superuser?: string;
  /** Role that the sites replicate by; created when missing. @default "standby_replication" */
  replicationUser?: string;
  /** Database that the verbs connect to. @default "postgres" */
  database?: string;
  /** Folder of the server's socket; never inside PGDATA. @default "/var/run/postgresql" */
  socketDirectory?: string;
  /** Folder of pg_ctl and its kin. @default found by the data's version */
  binDirectory?: string;
  /**
   * postgresql.conf. @default found at the site: what the server was last started with, else the one in PGDATA, else the one
   * below /etc/postgresql whose `data_directory` is `dataDirectory`; where several are, the update refuses and lists them
   */
  configFile?: string;
  /** Seconds a fast stop may take before it is taken back. @default 10 */
  stopSeconds?: number;
  /**
   * A logical slot that is kept at the primary, so that a delta knows removed rows too (docs/delta.md). Cost: it needs
   * `wal_level = logical`, decodes all WAL, and holds it back until the standby has replayed it. @default none
   */
  deltaSlot?: string;
  /** Most WAL a slot may hold for an absent standby; beyond it the standby is seeded anew. @default "4GB" */
  slotKeep?: string;
  /**
   * What else replicates from the primary: pg_receivewal, Barman, a read replica, a logical consumer (docs/followers.md). A
   * switchover is refused while one is connected that is not declared; a declared one is ended at the fence and led to the
   * other site after the promotion. @default none
   */
  followers?: readonly FollowerArgs[];
}

/** One that replicates from the primary besides the pair's standby. */
export interface FollowerArgs {
  /** Unique short name, for reports. */
  name: string;
  /** How its connections are known, as pg_stat_replication shows them: one of the two. */
  match: { applicationName: string } | { user: string };
  /** `physical`: a read replica; `archive`: a tool that stores WAL; `logical`: a consumer of a logical slot. */
  kind: "physical" | "archive" | "logical";
  /** Its slot. A physical one is made anew at the site that takes over. @default the one it was seen to use before the stop */
  slot?: string;
  /**
   * Command that leads it to the new primary. Runs at that site, as the account that enters it, for at most 30 s, with
   * STANDBY_HOST, STANDBY_PORT, STANDBY_SITE, STANDBY_FOLLOWER and STANDBY_SLOT. It must be safe to run twice. Its failure is
   * named and holds up nothing. @default none: the follower is ended and named, and a person leads it over
   */
  repoint?: string;
}

/** One service, as the commands a person would type at the site. Each must be safe to run twice. */
export interface ServiceArgs {
  /** Unique short name. */
  name: string;
  /** Workers stop first and start last in their wave. */
  kind: "web" | "worker";
  /** Services of one wave start together, after the wave before is healthy. @default 1 */
  wave?: number;
  start: string;
  stop: string;
  /** Exit code 0 while the service is healthy; not 0 when it is gone. */
  healthy: string;
}

/** What the guard may do by itself. */
export interface GuardArgs {
  /**
   * Seconds within which a guard that must has fenced its site. An update waits this long for a site it cannot reach.
   * At least `after` + `poll` + 4; what is left over goes to PostgreSQL's own stop. @default 30
   */
  bound?: number;
  /**
   * What keeps a running primary: `either` a lease or a witness that names it; only a `lease` (Danger: the standby's
   * absence then stops the primary; it is the one mode in which a supervised guard is a proof); or `keep`, nothing
   * stops it but a veto. @default "either"
   */
  isolation?: "either" | "lease" | "keep";
  /** Seconds without what keeps it after which a primary counts as cut off and is fenced; the life of a lease. @default 12 */
  after?: number;
  /** Seconds between two polls of a guard. Each asks one name server and the other site. @default 2 */
  poll?: number;
}

/** Limits that refuse or end a step. */
export interface LimitArgs {
  /** Bytes the standby may be behind before a switchover is refused. @default 16777216 */
  lagBytes?: number;
  /** Seconds one verb may take at a site, and one DNS write before it counts as pending. @default 60 */
  stepSeconds?: number;
  /**
   * Increments by which every sequence leaps after a failover that may have lost writes, so that new rows do not take the
   * numbers of those that come back with the delta. 0 switches it off. @default 10000
   */
  sequenceLeap?: number;
}
