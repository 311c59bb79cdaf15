import type { Lab } from "./lab";
import type { LabStack, LabStackSite } from "../stacks/demo/lab";
import type { LabSite } from "./site";

/** One value of a stack's configuration. */
export interface LabConfigValue {
  readonly value: string;
  readonly secret: boolean;
}
export type LabConfig = Readonly<Record<string, LabConfigValue>>;

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
