import type { SiteId } from "../plan/terms";
import type { CloudflareLab } from "./cloudflare";
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
