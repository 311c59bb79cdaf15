import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseFacts } from "../plan/observed";
import { otherSite, SITE_IDS, type EpochRecord, type SiteId } from "../plan/terms";
import { startLab, type Lab } from "./lab";
import { until } from "./postgres/processes";
import { LabVerbs } from "./verbs";

export type Isolation = "either" | "lease" | "keep";

/** What a guard may see and by which rule it lives. A site that may not see something is given a dead address for it. */
export interface Sight {
  readonly isolation?: Isolation;
  /** @default true */
  readonly dns?: boolean;
  /** The other site's database. @default true */
  readonly peer?: boolean;
  /** Other times than {@link GUARD_TIMES}, in milliseconds. */
  readonly times?: { readonly poll: number; readonly after: number; readonly bound: number };
  /** Other programs of PostgreSQL than the site's own. */
  readonly bindir?: string;
}

/** The guards' times in the lab, in milliseconds; the shortest that leave the stop its second. */
export const GUARD_TIMES = { poll: 400, after: 2000, bound: 6600 } as const;

const PASSWORD = "guarded-lab";

/**
 * A pair of real clusters with running guards and without an engine: tests and measurements speak the verbs and the
 * witness themselves, step by step, so that anything can happen in between.
 */
export class GuardedPair {
  #primary: SiteId = "a";
  #record: EpochRecord = { epoch: 5, from: "b", to: "a", kind: "initial" };

  private constructor(
    readonly lab: Lab,
    readonly verbs: LabVerbs,
  ) {}

  /** Site a serves in epoch 5, site b follows, both guards run. */
  static async open(isolation: Isolation = "either"): Promise<GuardedPair> {
    const lab = await startLab();
    const pair = new GuardedPair(lab, new LabVerbs(lab));
    try {
      await pair.#begin(isolation);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return pair;
  }

  get primary(): SiteId {
    return this.#primary;
  }
  get standby(): SiteId {
    return otherSite(this.#primary);
  }
  /** The newest record of the pair. */
  get record(): EpochRecord {
    return this.#record;
  }

  async #begin(isolation: Isolation): Promise<void> {
    const { verbs } = this;
    const lines = verbs.transition(this.#record);
    for (const site of SITE_IDS) {
      await this.install(site, { isolation });
      const more = { value: "hash", password: PASSWORD, run: lines["run"] ?? "" };
      await verbs.holds(site, "postgres/prepare", more);
    }
    verbs.announce(this.#record);
    await verbs.holds("a", "postgres/promote", { value: "initial", ...lines });
    await verbs.holds("b", "postgres/seed", { ...lines, password: PASSWORD });
    for (const site of SITE_IDS) {
      await verbs.holds(site, "postgres/settle", lines);
      this.lab.sites[site].keepGuard();
      await this.ready(site, isolation);
    }
  }

  /** Gives a site's guard its configuration; a running one takes it over by itself. */
  async install(site: SiteId, sight: Sight) {
    const { isolation = "either", dns = true, peer = true } = sight;
    const { poll, after, bound } = sight.times ?? GUARD_TIMES;
    const service = (name: string, kind: string) =>
      [
        `service=${name} ${kind} 1`,
        ...["start", "stop", "healthy"].map(
          (verb) => `service_${verb}="$HOME/service" ${verb} ${name}`,
        ),
        "",
      ].join("\n");
    const ran = await this.verbs.verb(
      site,
      "site/install",
      {
        guard: `${poll} ${after} ${bound} ${isolation}`,
        // Nobody listens there: asked, it refuses at once.
        ...(dns ? {} : { servers: "127.0.0.9#9" }),
        ...(peer ? {} : { peer_port: "9" }),
        ...(sight.bindir === undefined ? {} : { bindir: sight.bindir }),
      },
      service("web", "web") + service("worker", "worker"),
    );
    if (ran.exitCode !== 0) throw new Error(`install at ${site}: ${ran.stderr}`);
  }

  /** Waits until the guard of a site has polled under this rule; a primary's until it holds what it may miss. */
  async ready(site: SiteId, isolation: Isolation): Promise<void> {
    const armed = site === this.#primary && isolation !== "keep" ? "yes" : "no";
    await until(`guard of ${site} is ready`, 10_000, () => {
      const live = this.live(site);
      return live.isolation === isolation && (armed === "no" || live.armed === armed);
    });
  }

  /** The guard's last heartbeat; `at` in hundredths of a second since the host started. */
  live(site: SiteId): { pid: number; at: number; isolation: string; armed: string } {
    const [pid, , at, , isolation = "", armed = ""] = this.state(site, "guard.live").split(" ");
    return { pid: Number(pid), at: Number(at), isolation, armed };
  }

  /** A file of a site's state folder, or an empty text. */
  state(site: SiteId, file: string): string {
    try {
      return readFileSync(join(this.lab.sites[site].cluster.stateDirectory, file), "utf8").trim();
    } catch {
      return "";
    }
  }

  /** Whether a site takes writes, as its own server says. */
  async writable(site: SiteId): Promise<boolean> {
    return this.lab.sites[site].cluster
      .query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
      .then((rows) => rows[0]?.standby === false)
      .catch(() => false);
  }

  /** Waits until the guard has polled for longer than it may take to judge a lasting loss. */
  async outlasts(site: SiteId): Promise<void> {
    const { after, poll } = GUARD_TIMES;
    const from = this.live(site).at;
    const span = (after + 3 * poll) / 10;
    await until(`guard of ${site} has polled on`, 20_000, () => this.live(site).at > from + span);
  }

  async isFenced(site: SiteId, withinMs: number = GUARD_TIMES.bound): Promise<void> {
    await until(`site ${site} is fenced`, withinMs, async () => !(await this.writable(site)));
  }

  /** The next epoch, announced in the witness; the sites are told by their verbs. */
  announce(kind: EpochRecord["kind"], to: SiteId = this.standby): EpochRecord {
    const epoch = this.#record.epoch + 1;
    this.#record = { epoch, from: otherSite(to), to, kind };
    this.verbs.announce(this.#record);
    return this.#record;
  }

  /** The next epoch, known to nobody yet. */
  next(kind: EpochRecord["kind"], to: SiteId = this.standby): EpochRecord {
    this.#record = { epoch: this.#record.epoch + 1, from: otherSite(to), to, kind };
    return this.#record;
  }

  lines(): Record<string, string> {
    return this.verbs.transition(this.#record);
  }

  /** The primary goes on in its own epoch, as an update that finds it stopped would have it. */
  async restart(): Promise<void> {
    await this.verbs.holds(this.#primary, "postgres/promote", { value: "permit", ...this.lines() });
  }

  /** The standby takes over without proof; the old primary must be fenced by now. Then it follows. */
  async takeOver(): Promise<void> {
    const [from, to] = [this.#primary, this.standby];
    const { verbs } = this;
    const lines = this.lines();
    await verbs.holds(to, "postgres/verify", {
      ...{ value: "accepted", accept_loss: lines["epoch"] ?? "", ...lines },
    });
    await verbs.holds(to, "postgres/promote", { value: "permit", ...lines });
    this.#primary = to;
    verbs.announce(this.#record);
    await verbs.holds(from, "postgres/rejoin", { value: "rejoin", ...lines });
    for (const site of SITE_IDS) {
      await verbs.holds(site, "site/maintenance", { value: "off", ...lines });
      await verbs.holds(site, "postgres/settle", lines);
    }
  }

  /** The primary that was vetoed goes on under a new epoch; the other site is told first. */
  async resume(): Promise<void> {
    this.announce("resume", this.#primary);
    const lines = this.lines();
    await this.verbs.holds(this.standby, "postgres/revoke", lines);
    await this.verbs.holds(this.#primary, "postgres/promote", { value: "resume", ...lines });
  }

  /** After a hand-over that ended anywhere: the site that was promoted serves, or the old one again; the other follows. */
  async settle(promoted: boolean): Promise<void> {
    const { verbs } = this;
    if (promoted) {
      this.#primary = this.#record.to;
      await verbs.holds(this.#primary, "postgres/promote", { value: "permit", ...this.lines() });
    } else {
      await this.resume();
    }
    const lines = this.lines();
    await verbs.holds(this.standby, "postgres/rejoin", { value: "rejoin", ...lines });
    for (const site of SITE_IDS) {
      await verbs.holds(site, "site/maintenance", { value: "off", ...lines });
      await verbs.holds(site, "postgres/settle", lines);
    }
  }

  /** What the verb observe says of a site. */
  async observe(site: SiteId): Promise<Readonly<Record<string, string>>> {
    return parseFacts(await this.verbs.holds(site, "postgres/observe"));
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}
