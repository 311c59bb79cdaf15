import type { SiteId } from "../plan/terms";
import type { CloudflareLab } from "./cloudflare";
import type { WitnessPublicKey } from "../sites/witness";
import type { SiteRun } from "./site";
import type { LabConfig } from "./stack";

/** One site of a tour, whichever lab it lives in: a folder of this machine (LabSite) or a host (lab/hosts). */
export interface TourSite {
  readonly id: SiteId;
  /** Address that clients reach it by. */
  readonly host: string;
  /** One statement at the site's own server, as superuser. */
  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]>;
  /** Runs a program inside, as from its console. */
  run(command: readonly string[], input?: string): Promise<SiteRun>;
  /** The disaster: from now on the peer gets nothing that this site still acknowledges, then nobody gets in. */
  lose(peer: TourSite): Promise<void>;
  mend(): void | Promise<void>;
  /** Power is lost, with everything that runs there. */
  powerOff(): Promise<void>;
  /** Power returns. Gives what the site said about its boot. */
  powerOn(): Promise<string>;
  /** What the running guard has said. */
  guardLog(): string | Promise<string>;
}

/** How the ledger and the sampler log in. */
export interface ClientLogin {
  readonly user: string;
  readonly password?: string;
}

/** Two sites, a zone, and what a tour must be told to run a pair on them. */
export interface TourLab {
  /** Folder for a stack's state and other files of the runner. */
  readonly dir: string;
  readonly zone: string;
  readonly hostnames: readonly string[];
  readonly a: TourSite;
  readonly b: TourSite;
  readonly sites: { readonly a: TourSite; readonly b: TourSite };
  readonly cloudflare: CloudflareLab;
  readonly dns: { readonly address: string; readonly port: number };
  readonly databasePort: number;
  readonly webPort: number;
  readonly login: ClientLogin;
  /** Folder of the program's Pulumi.yaml, below the package's root. */
  readonly project: string;
  /** Config for that program: key -> value, and whether it is a secret. */
  stackConfig(activeSite?: SiteId): LabConfig;
  close(): Promise<void>;
}

/** What a pair's program says about one site; where clients and peer reach its database is said elsewhere. */
export interface DescribedSite {
  readonly stateDirectory: string;
  /** Body of a shell function that runs "$1" there, as a transport has it. */
  readonly enter: string;
  readonly enterLine: string;
  /** Settings of its PostgreSQL. */
  readonly database: Readonly<Record<string, string | number>>;
}

/** A site as the fault matrix strikes it and judges it, whichever lab it lives in. */
export interface CellSite extends TourSite {
  /** Its folders as this process sees them, also while the site is off. */
  readonly folders: { readonly data: string; readonly state: string };
  describe(): DescribedSite;
  /** The runner's door is shut: nothing new enters; clients, peer and name servers are in reach as before. */
  cut(): void | Promise<void>;
  /** It reaches nobody and nobody reaches it, and it lives on. Only where it has a network of its own. */
  isolate?(): Promise<void>;
  /** The server dies without warning, and the host lives on. */
  killServer(): Promise<void>;
  /** A person starts it, with whatever lies there. */
  startServer(withinMs?: number): Promise<void>;
  stopServer(): Promise<void>;
  isServerUp(): boolean | Promise<boolean>;
  /** From now on nothing can be written to the state folder. */
  fillDisk(): void | Promise<void>;
  emptyDisk(): void | Promise<void>;
  /** How many processes of the application run, told by the process list. */
  runningServices(): number | Promise<number>;
  /** Runs one of the server's programs in the data folder, also while the site is off. Gives its stdout, however it ends. */
  inspect(program: string, args: readonly string[]): Promise<string>;
  /** One statement, answered by a server without clients on the disk of a site where none runs. Gives its talk. */
  askDisk(sql: string): Promise<string>;
}

/** A lab that the fault matrix runs on. */
export interface CellLab extends TourLab {
  readonly a: CellSite;
  readonly b: CellSite;
  readonly sites: { readonly a: CellSite; readonly b: CellSite };
  /** Ed25519 private key of the witness, PKCS #8 PEM. */
  readonly witnessKey: string;
  readonly witnessPublicKey: WitnessPublicKey;
}
