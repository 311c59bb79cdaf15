import { Ledger } from "../../lab/ledger/ledger";
import type { LedgerReport } from "../../lab/ledger/report";
import { until } from "../../lab/postgres/processes";
import { Sampler } from "../../lab/sampler";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import type { Lane } from "./lane";
import { ledgerRows } from "./evidence";

/** Clients that write all the time, and an eye on both servers. */
export class Load {
  readonly startedMs: number;
  #stopped = false;

  private constructor(
    private readonly lane: Lane,
    readonly ledger: Ledger,
    readonly sampler: Sampler,
  ) {
    this.startedMs = ledger.mark();
  }

  static async start(lane: Lane): Promise<Load> {
    const { lab } = lane;
    const port = lab.databasePort;
    const hosts = SITE_IDS.map((site) => lab.sites[site].host);
    const name = lab.hostnames[0] ?? "";
    const ledger = Ledger.start({ dns: lab.dns, name, hosts, port, writers: 4, delayMs: 8 });
    const servers = SITE_IDS.map((site) => ({
      ...{ site, host: lab.sites[site].host, port, user: lab.a.cluster.superuser },
    }));
    const load = new Load(lane, ledger, Sampler.start(servers, 10));
    await load.more(20);
    return load;
  }

  /** Waits until so many more writes were acknowledged. */
  async more(count: number, withinMs = 15_000): Promise<void> {
    const goal = this.ledger.acked() + count;
    await until(`${count} more acknowledged writes`, withinMs, () => this.ledger.acked() >= goal);
  }

  /** Ends clients and sampler. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await Promise.all([this.ledger.stop(), this.sampler.stop()]);
  }

  /** The notes held against the rows: those at the primary, and those that only the other site kept. */
  async account(primary: SiteId, kept: boolean): Promise<LedgerReport> {
    const { a, b } = this.lane.lab;
    const [main, other] = primary === "a" ? [a, b] : [b, a];
    const rows = (await ledgerRows(main)) ?? [];
    const known = new Set(rows.map((row) => `${row.writer}:${row.seq}`));
    const more = kept ? ((await ledgerRows(other)) ?? []) : [];
    const delta = more.filter((row) => !known.has(`${row.writer}:${row.seq}`));
    return this.ledger.report(rows, delta);
  }
}
