import { Ledger } from "../../lab/ledger/ledger";
import type { Operation } from "../../lab/ledger/operations";
import { reportLedger, type LedgerReport } from "../../lab/ledger/report";
import { until } from "../../lab/postgres/processes";
import { Sampler } from "../../lab/sampler";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import type { CellLab } from "../../lab/place";
import { ledgerRows } from "./evidence";
import { deltaRows, keptRows } from "./kept";

/** Clients that write all the time, and an eye on both servers. */
export class Load {
  readonly #ended: Operation[] = [];
  #ledger: Ledger | undefined;
  #round = 0;

  private constructor(
    private readonly lab: CellLab,
    readonly sampler: Sampler,
    private readonly firstWriter: number,
  ) {}

  /** Rows of writers below `firstWriter` are older than this load and of no interest. */
  static async start(lab: CellLab, firstWriter = 1): Promise<Load> {
    const servers = SITE_IDS.map((site) => ({
      ...{ site, host: lab.sites[site].host, port: lab.databasePort },
      ...lab.login,
    }));
    const load = new Load(lab, Sampler.start(servers, 10), firstWriter);
    await load.more(20);
    return load;
  }

  /** Waits until so many more writes were acknowledged; clients that were paused begin again. */
  async more(count: number, withinMs = 20_000): Promise<void> {
    const ledger = (this.#ledger ??= this.#begin());
    const goal = ledger.acked() + count;
    await until(`${count} more acknowledged writes`, withinMs, () => ledger.acked() >= goal);
  }

  /** A write that a test made itself, for the account. */
  note(operation: Operation): void {
    this.#ended.push(operation);
  }

  /** Ends the clients; what they noted is kept. */
  async pause(): Promise<void> {
    const ledger = this.#ledger;
    this.#ledger = undefined;
    if (ledger === undefined) return;
    await ledger.stop();
    this.#ended.push(...ledger.operations());
  }

  /** Ends clients and sampler. */
  async stop(): Promise<void> {
    await Promise.all([this.pause(), this.sampler.stop()]);
  }

  /** The notes of the ended clients held against the rows: those at the primary, and those that only the other site kept. */
  async account(primary: SiteId, kept: boolean): Promise<LedgerReport> {
    const { a, b } = this.lab;
    const [main, other] = primary === "a" ? [a, b] : [b, a];
    const mine = ({ writer }: { writer: number }) => writer >= this.firstWriter;
    const rows = ((await ledgerRows(main)) ?? []).filter(mine);
    const known = new Set(rows.map((row) => `${row.writer}:${row.seq}`));
    const more = kept ? [...(await keptRows(other)), ...deltaRows(main)].filter(mine) : [];
    const left = more.filter((row) => !known.has(`${row.writer}:${row.seq}`));
    // A site that was not rewound yet holds the rows of its delta too.
    const delta = [...new Map(left.map((row) => [`${row.writer}:${row.seq}`, row])).values()];
    return reportLedger(this.#ended, rows, delta);
  }

  /** Each round's writers have numbers of their own. */
  #begin(): Ledger {
    const { lab } = this;
    const hosts = SITE_IDS.map((site) => lab.sites[site].host);
    const firstWriter = this.firstWriter + 10 * this.#round;
    this.#round += 1;
    return Ledger.start({
      ...{ dns: lab.dns, name: lab.hostnames[0] ?? "", hosts, port: lab.databasePort },
      ...lab.login,
      ...{ writers: 4, delayMs: 15, firstWriter },
    });
  }
}
