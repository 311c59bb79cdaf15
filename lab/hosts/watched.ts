import { SITE_IDS, type SiteId } from "../../plan/terms";
import { Sampler } from "../sampler";
import type { HostPair } from "./pair";

/** Asks both servers of a pair over their sockets, cut or not, whether they take writes. @param everyMs pause between two rounds */
export function watchWriters(pair: HostPair, everyMs = 10): Sampler {
  const server = (site: SiteId) => ({
    site,
    port: 5432,
    user: "root",
    // Another process, and so another socket, after each boot.
    get host() {
      return `/proc/${pair.host(site).pid ?? 0}/root/run/postgresql`;
    },
  });
  return Sampler.start(SITE_IDS.map(server), everyMs);
}
