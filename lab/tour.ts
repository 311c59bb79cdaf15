import { join } from "node:path";
import { openEngine, type Engine, type EngineEvent, type RunResult } from "./engine/engine";
import { Ledger, LEDGER_ROWS } from "./ledger/ledger";
import { resolveAt } from "./ledger/names";
import { reportLedger, type LedgerReport, type LedgerRow } from "./ledger/report";
import { WebClient, visit } from "./ledger/webClient";
import { HostsLab } from "./hosts/place";
import type { HostsOptions } from "./hosts/hosts";
import { startLab, type Lab } from "./lab";
import type { TourLab } from "./place";
import { Sampler } from "./sampler";
import type { SiteId } from "../plan/terms";

// Each round of clients writes under numbers of its own, so that its rows can be told from older ones.
const WRITERS_A_ROUND = 100;

/** The lab, an engine on stacks/demo, and the clients that watch: what demo, tests and bench share. */
export class Tour<L extends TourLab = Lab> {
  readonly #ledgers: Ledger[] = [];
  #clients: { ledger: Ledger; web: WebClient; sampler: Sampler } | undefined;
  #firstWriter = 1;

  private constructor(
    readonly lab: L,
    readonly engine: Engine,
  ) {}

  /**
   * Builds two sites and a stack whose config names site a. `guards: false` is for those who promote by hand:
   * a guard ends what the witness does not name. `ssh: true` puts a real sshd in front of each site,
   * and names in its place are the sites' login shells.
   */
  static async open({
    guards = true,
    ssh = false,
  }: { guards?: boolean; ssh?: boolean | Readonly<Record<SiteId, string>> } = {}): Promise<Tour> {
    const lab = await startLab();
    try {
      for (const site of [lab.a, lab.b]) {
        if (guards) site.keepGuard();
        if (ssh !== false) await site.openSsh(ssh === true ? undefined : ssh[site.id]);
      }
      return new Tour(lab, await openStack(lab));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The same on two hosts of their own, with stacks/example. Only inside the room (lab/hosts/README.md). */
  static async onHosts(options: HostsOptions = {}): Promise<Tour<HostsLab>> {
    const lab = await HostsLab.open(options);
    try {
      return new Tour(lab, await openStack(lab));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Starts the clients: writers that know both hosts, writers and a visitor that know only the public name, a sampler. */
  startClients(options: { writers?: number; delayMs?: number } = {}): void {
    const { lab } = this;
    const { dns, databasePort: port } = lab;
    const name = lab.hostnames[0] ?? lab.zone;
    const hosts = [lab.a.host, lab.b.host];
    const { user, password } = lab.login;
    const login = { user, ...(password === undefined ? {} : { password }) };
    const ledger = Ledger.start({
      ...{ dns, name, port, hosts, ...login },
      firstWriter: this.#firstWriter,
      ...options,
    });
    this.#firstWriter += WRITERS_A_ROUND;
    this.#ledgers.push(ledger);
    const web = WebClient.start({ dns, name, port: lab.webPort });
    const servers = [lab.a, lab.b].map((site) => ({
      site: site.id,
      host: site.host,
      port,
      ...login,
    }));
    this.#clients = { ledger, web, sampler: Sampler.start(servers) };
  }

  get clients(): { ledger: Ledger; web: WebClient; sampler: Sampler } {
    if (this.#clients === undefined) throw new Error("the clients are not started");
    return this.#clients;
  }

  /** Stops the clients; what they noted stays readable. */
  async stopClients(): Promise<void> {
    const { ledger, web, sampler } = this.clients;
    await Promise.all([ledger.stop(), web.stop(), sampler.stop()]);
  }

  /** `pulumi config set` of plain keys, then `pulumi up`. */
  async update(
    config: Readonly<Record<string, string>>,
    onEvent?: (event: EngineEvent) => void,
  ): Promise<RunResult> {
    for (const [key, value] of Object.entries(config)) await this.engine.setConfig(key, value);
    return this.engine.up(onEvent === undefined ? {} : { onEvent });
  }

  /** What the ledger's notes say, held against the rows at a site. Stop the clients first. */
  async account(site: SiteId): Promise<LedgerReport> {
    const first = this.#firstWriter - WRITERS_A_ROUND;
    return this.clients.ledger.report(await this.#rows(site, first));
  }

  /** The same for all that was ever written in this tour. */
  async accountAll(site: SiteId): Promise<LedgerReport> {
    const operations = this.#ledgers.flatMap((ledger) => ledger.operations());
    return reportLedger(operations, await this.#rows(site));
  }

  #rows(site: SiteId, firstWriter = 0): Promise<readonly LedgerRow[]> {
    const since = `${LEDGER_ROWS} where writer >= $1`;
    return this.lab.sites[site].query<{ writer: number; seq: number }>(since, [firstWriter]);
  }

  /** The site each hostname leads to, as the authoritative server answers now. */
  async answers(): Promise<Readonly<Record<string, string>>> {
    const { lab } = this;
    const found = await Promise.all(
      lab.hostnames.map(async (name) => {
        const address = await resolveAt(lab.dns, name);
        const site = [lab.a, lab.b].find((one) => one.host === address)?.id ?? address;
        return [name, site] as const;
      }),
    );
    return Object.fromEntries(found);
  }

  /** Which site answers a request through the public name. */
  async visit(): Promise<string> {
    const { lab } = this;
    const sample = await visit({
      dns: lab.dns,
      name: lab.hostnames[0] ?? lab.zone,
      port: lab.webPort,
    });
    return sample.ok ? (sample.site ?? "?") : `${sample.status ?? ""} ${sample.error ?? ""}`.trim();
  }

  /** Writing requests that the DNS API answered since a moment. */
  dnsWrites(sinceMs: number): number {
    return this.lab.cloudflare
      .requests()
      .filter(
        (request) => request.ms >= sinceMs && request.method !== "GET" && request.status < 400,
      ).length;
  }

  async close(): Promise<void> {
    if (this.#clients !== undefined) await this.stopClients();
    await this.lab.close();
  }
}

async function openStack(lab: TourLab): Promise<Engine> {
  const engine = await openEngine({
    projectDir: join(packageRoot(), lab.project),
    stack: "demo",
    stateDir: join(lab.dir, "stack"),
    passphrase: "lab",
  });
  for (const [key, { value, secret }] of Object.entries(lab.stackConfig("a"))) {
    await engine.setConfig(key, value, { secret });
  }
  return engine;
}

/** The folder of package.json, from lab/ as from dist/lab/. */
export function packageRoot(): string {
  return __dirname.endsWith(join("dist", "lab"))
    ? join(__dirname, "..", "..")
    : join(__dirname, "..");
}
