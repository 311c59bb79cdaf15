import type { Lab } from "./lab";
import type { LabService, LabSite } from "./site";
import type { SshAccess } from "./sshd";

/** One value of a stack's configuration. */
export interface LabConfigValue {
  readonly value: string;
  readonly secret: boolean;
}
export type LabConfig = Readonly<Record<string, LabConfigValue>>;

/** One site, as stacks/demo reads it from config key `lab`. */
export interface LabStackSite {
  readonly provider: string;
  readonly region: string;
  readonly host: string;
  readonly wrap: string;
  /** The way in, if it is not `wrap` on this very machine. */
  readonly ssh?: SshAccess;
  readonly port: number;
  readonly dataDirectory: string;
  readonly stateDirectory: string;
  readonly socketDirectory: string;
  readonly binDirectory: string;
  readonly superuser: string;
}

/** The JSON value of config key `lab`. */
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

/** What `config set` must be given before stacks/demo can run on a lab. */
export function stackConfig(lab: Lab, activeSite: "a" | "b"): LabConfig {
  return {
    activeSite: plain(activeSite),
    lab: plain(JSON.stringify(describeLab(lab))),
    witnessKey: { value: lab.witnessKey, secret: true },
    "cloudflare:apiToken": { value: lab.cloudflare.token, secret: true },
    "cloudflare:baseUrl": plain(lab.cloudflare.apiUrl),
  };
}

function describeLab(lab: Lab): LabStack {
  const { cloudflare, zone, hostnames, webPort } = lab;
  return {
    zone,
    zoneId: cloudflare.zones.find((one) => one.name === zone)?.id ?? "",
    hostnames,
    servers: cloudflare.dnsAddresses.map((address) => `${address}#${cloudflare.dnsPort}`),
    webPort,
    services: lab.a.services,
    sites: { a: describeSite(lab.a), b: describeSite(lab.b) },
  };
}

function describeSite(site: LabSite): LabStackSite {
  const { cluster, id, host, wrap, sshServer } = site;
  const { port, dataDirectory, stateDirectory, socketDirectory, superuser } = cluster;
  return {
    ...{ provider: `provider-${id}`, region: `region-${id}`, host, wrap, port },
    ...{ dataDirectory, stateDirectory, socketDirectory, superuser },
    binDirectory: cluster.bindir,
    ...(sshServer === undefined ? {} : { ssh: sshServer.access }),
  };
}

function plain(value: string): LabConfigValue {
  return { value, secret: false };
}
