import { local, ssh, type SiteArgs, type SshArgs } from "../../components";

/** One site of the lab, as config key `lab` describes it. */
export interface LabStackSite {
  readonly provider: string;
  readonly region: string;
  readonly host: string;
  /** Program that leads to the site on this very machine. */
  readonly wrap: string;
  /** The way in, if it is not `wrap`. */
  readonly ssh?: SshArgs;
  readonly port: number;
  readonly dataDirectory: string;
  readonly stateDirectory: string;
  readonly socketDirectory: string;
  readonly binDirectory: string;
  readonly superuser: string;
}

/** A service as the shell commands that run at either site; `$HOME` is the site's own. */
export interface LabService {
  readonly name: string;
  readonly kind: "web" | "worker";
  readonly wave: number;
  readonly start: string;
  readonly stop: string;
  readonly healthy: string;
}

/** The JSON value of config key `lab`, which the lab writes. */
export interface LabStack {
  readonly zone: string;
  readonly zoneId: string;
  readonly hostnames: readonly string[];
  /** Name servers for the witness, `ADDRESS#PORT`. */
  readonly servers: readonly string[];
  readonly webPort: number;
  readonly services: readonly LabService[];
  readonly sites: { readonly a: LabStackSite; readonly b: LabStackSite };
}

/** The arguments of one site. */
export function siteOf(of: LabStackSite): SiteArgs {
  const { provider, region, host, wrap, stateDirectory } = of;
  const { port, dataDirectory, socketDirectory, binDirectory, superuser } = of;
  return {
    provider,
    region,
    addresses: { v4: host },
    transport: of.ssh === undefined ? local({ wrap: [wrap] }) : ssh(of.ssh),
    stateDirectory,
    postgres: { port, dataDirectory, socketDirectory, binDirectory, superuser },
  };
}
