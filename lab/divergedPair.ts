import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { otherSite } from "../plan/terms";
import { caughtUp } from "./lostPrimary";
import { fakePrograms, Pair, type Outcome, type SiteId } from "./pair";

/** A pair that is made to diverge again and again: the site that serves is lost with rows that only it has. */
export class DivergedPair {
  #epoch = 1;
  serving: SiteId = "a";
  lines: Record<string, string> = {};

  private constructor(readonly pair: Pair) {}

  static async create(): Promise<DivergedPair> {
    const pair = await Pair.streaming();
    await pair.a.query("create table ledger(n bigint primary key, at text)");
    // Or a standby that is stopped at once never had it.
    await caughtUp(pair.a, pair.b);
    return new DivergedPair(pair);
  }

  /** The site that was lost and holds rows of its own. */
  get lost(): SiteId {
    return otherSite(this.serving);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The serving site writes `rows` that its standby never gets, dies, and is replaced. */
  async diverge(rows = 100): Promise<void> {
    const { pair } = this;
    const [from, to] = [this.serving, this.lost];
    await pair.site(to).stop();
    await this.write(from, rows, "lost");
    await pair.site(from).kill();
    await pair.site(to).start();
    this.#epoch += 1;
    this.lines = pair.epoch(this.#epoch, from, to, "failover");
    const accept = { value: "accepted", accept_loss: this.#epoch, ...this.lines };
    await pair.holds(to, "verify", accept);
    await pair.holds(to, "promote", { value: "permit", ...this.lines });
    this.serving = to;
    await this.write(to, 50, "kept");
  }

  async write(site: SiteId, rows: number, at: string): Promise<void> {
    await this.pair
      .site(site)
      .query(
        "insert into ledger select coalesce((select max(n) from ledger), 0) + n, $2 from generate_series(1, $1::int) as n",
        [rows, at],
      );
  }

  /** Rows of a kind at a site. */
  async count(site: SiteId, at: string): Promise<number> {
    const [row] = await this.pair
      .site(site)
      .query<{ n: number }>("select count(*)::int as n from ledger where at = $1", [at]);
    return row?.n ?? -1;
  }

  /** What an export leaves behind: the mark that names this very divergence. */
  markExported(fork: string, end: string): void {
    const file = join(this.pair.site(this.lost).stateDirectory, "delta.done");
    writeFileSync(file, `${this.#epoch} ${fork} ${end} ${"0".repeat(64)}\n`);
  }

  rejoin(more: Record<string, string | number> = {}, failAt?: string): Promise<Outcome> {
    const input = { value: "rejoin", ...this.lines, ...more };
    return this.pair.verb(this.lost, "rejoin", input, failAt === undefined ? {} : { failAt });
  }

  /** A rejoin whose verb, and pg_rewind with it, is killed after a while; says what was under way. */
  async killedRejoin(delayMs: number): Promise<string> {
    const { pair, lost } = this;
    const bindir = fakePrograms(pair, {
      pg_rewind: `"$real" "$@" & pid=$!; (sleep ${delayMs / 1000}; kill -KILL $pid $PPID 2>/dev/null) & wait $pid`,
    });
    const outcome = await this.rejoin({ discard_delta: this.#epoch, bindir });
    const marker = (await pair.observe(lost))["rejoin"] ?? "-";
    return outcome.code === 0 ? "ended before" : `exit ${String(outcome.code)}, ${marker}`;
  }

  /** Somebody else starts PostgreSQL on the serving name, whatever lies there. It may fail; it must not write. */
  async startedByAnother(): Promise<void> {
    const site = this.pair.site(this.lost);
    await site.start(4000).catch(() => undefined);
    if ((await this.pair.writers()) > 1) throw new Error("two writers");
    await site.kill();
  }
}
