import { announceAt, epochLines } from "./announcing";
import type { Lab } from "./lab";
import type { SiteRun } from "./site";
import { scriptText } from "../plan/scripts";
import { composeScripts } from "../sites/guardProgram";
import { loadScripts } from "../sites/scripts";
import type { EpochRecord, SiteId } from "../plan/terms";

export const WITNESS_NAME = "_standby-shop.shop.test";
const scripts = composeScripts(loadScripts());

/** Runs verbs on a lab's sites as the runner does. */
export class LabVerbs {
  #run = 0;
  constructor(private readonly lab: Lab) {}

  /** One verb; throws with its talk unless it holds. */
  async holds(
    site: SiteId,
    name: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const ran = await this.verb(site, name, more);
    if (ran.exitCode !== 0) throw new Error(`${name} at ${site}: ${ran.exitCode}\n${ran.stderr}`);
    return ran.stdout;
  }

  /** `lines` follow the input as they are: those that may come more than once. */
  verb(
    site: SiteId,
    name: string,
    more: Readonly<Record<string, string>> = {},
    lines = "",
  ): Promise<SiteRun> {
    const input = Object.entries({ ...this.#settings(site), ...more })
      .map(([key, value]) => `${key}=${value}\n`)
      .join("");
    const text = `${scriptText(scripts, "lib")}\n${scriptText(scripts, name)}\nmain <<'STANDBY_INPUT'\n${input}${lines}STANDBY_INPUT\n`;
    // As the runner does it: no pipe of ours reaches what the verb starts.
    const shell =
      'd=$(mktemp -d); timeout -k 2 40 sh -s >"$d/o" 2>"$d/e"; r=$?; cat "$d/o"; cat "$d/e" >&2; rm -rf "$d"; exit "$r"';
    return this.lab.sites[site].run(["sh", "-c", shell], text);
  }

  /** Input lines of a transition with a run of its own. */
  transition(record: EpochRecord): Record<string, string> {
    this.#run += 1;
    return epochLines(record, this.#run);
  }

  /** Writes the signed witness into the zone. */
  announce(record: EpochRecord): void {
    const { zone, witnessKey, cloudflare } = this.lab;
    announceAt(cloudflare, { zone, name: WITNESS_NAME, key: witnessKey }, record);
  }

  #settings(site: SiteId): Record<string, string> {
    const { cluster } = this.lab.sites[site];
    const peer = this.lab.sites[site === "a" ? "b" : "a"];
    const { cloudflare, witnessPublicKey: key } = this.lab;
    return {
      ...{
        name: "shop",
        site,
        peer: peer.id,
        run: "1-test",
        host: cluster.host,
        port: String(cluster.port),
      },
      ...{
        state: cluster.stateDirectory,
        data: cluster.dataDirectory,
        socket: cluster.socketDirectory,
      },
      ...{
        bindir: cluster.bindir,
        superuser: cluster.superuser,
        replication_user: "standby_replication",
      },
      ...{
        peer_host: peer.host,
        peer_port: String(cluster.port),
        zone: this.lab.zone,
        witness_name: WITNESS_NAME,
      },
      servers: cloudflare.dnsAddresses
        .map((address) => `${address}#${cloudflare.dnsPort}`)
        .join(" "),
      keys: `${key.id}=${key.raw}`,
    };
  }
}
