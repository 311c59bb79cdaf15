import { generateKeyPairSync } from "node:crypto";
import { parseFacts } from "../../plan/observed";
import { scriptText } from "../../plan/scripts";
import { otherSite, SITE_IDS, type EpochRecord, type SiteId } from "../../plan/terms";
import { composeScripts } from "../../sites/guardProgram";
import { loadScripts } from "../../sites/scripts";
import { publicKeyOf } from "../../sites/witness";
import { announceAt, epochLines } from "../announcing";
import { until } from "../postgres/processes";
import type { SiteRun } from "../site";
import { CLUSTER, postmasterOf, STATE } from "./debian";
import { startHosts, type Hosts } from "./hosts";
import type { Host } from "./host";
import { ADDRESSES, RUNNER, SECOND_NAME_SERVER } from "./room";

const ZONE = "shop.example";
const WITNESS_NAME = `_standby-shop.${ZONE}`;
/** Debian's unit, which the pair's drop-in binds to its guard. */
export const UNIT = "postgresql@15-main.service";
const CONFIG = `${CLUSTER.config}/postgresql.conf`;
const scripts = composeScripts(loadScripts());

/** A guard's times, in milliseconds, and its rule. */
export const GUARD = "1000 6000 16000 either";

/**
 * A pair on two Debian hosts with systemd, set up by the verbs over ssh as root: what runs there is what users have. No
 * engine: tests and benches speak the verbs and the witness themselves, so that anything can happen in between.
 */
export class HostPair {
  #primary: SiteId = "a";
  #record: EpochRecord = { epoch: 1, from: "b", to: "a", kind: "initial" };
  #run = 0;
  readonly #key = generateKeyPairSync("ed25519")
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();

  private constructor(readonly hosts: Hosts) {}

  /** Site a serves in epoch 1, site b follows. */
  static async open(): Promise<HostPair> {
    const pair = new HostPair(await startHosts({ make: "systemd", a: "data", b: "data" }));
    try {
      await pair.#begin();
    } catch (error) {
      await pair.hosts.close();
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
  host(site: SiteId): Host {
    return this.hosts[site];
  }

  async #begin(): Promise<void> {
    await this.hosts.b.must(["systemctl", "stop", UNIT]);
    await this.hosts.b.must(["rm", "-rf", CLUSTER.data]);
    this.announce(this.#record);
    const lines = this.lines();
    for (const site of SITE_IDS) await this.prepare(site, lines);
    await this.holds("b", "postgres/seed", lines);
    await this.holds("a", "postgres/promote", { value: "initial", ...lines });
    await this.holds("b", "postgres/rejoin", lines);
    for (const site of SITE_IDS) await this.holds(site, "postgres/settle", lines);
    await this.ready();
  }

  async prepare(site: SiteId, lines = this.lines()): Promise<void> {
    const early = { run: lines["run"] ?? "", epoch: "" };
    await this.holds(site, "site/install", { ...early, guard: GUARD });
    await this.holds(site, "postgres/prepare", { ...early, value: "hash" });
  }

  /** Waits until the primary is writable, its guard holds what it may miss, and has opened what it had closed. */
  ready(seconds = 60): Promise<void> {
    return until("the pair is at rest", seconds * 1000, async () => {
      const here = await this.observe(this.#primary);
      const open = here["held"] === "no" && here["maintenance"] === "off";
      return here["role"] === "primary" && here["guard_armed"] === "yes" && open;
    });
  }

  /** The next epoch. `announced: false`: only the sites are told. */
  next(kind: EpochRecord["kind"], to: SiteId = this.standby, announced = true): EpochRecord {
    const epoch = this.#record.epoch + 1;
    this.#record = { epoch, from: otherSite(to), to, kind };
    if (announced) this.announce(this.#record);
    return this.#record;
  }

  /** Writes the signed witness into the zone. */
  announce(record: EpochRecord): void {
    const place = { zone: ZONE, name: WITNESS_NAME, key: this.#key };
    announceAt(this.hosts.cloudflare, place, record);
  }

  /** Input lines of the newest epoch, with a run of its own. */
  lines(): Record<string, string> {
    this.#run += 1;
    return epochLines(this.#record, this.#run);
  }

  /** A planned hand-over to the standby; `last` ends it early, as a killed run does. */
  async switchOver(last: Phase = "rejoin"): Promise<void> {
    const [from, to] = [this.#primary, this.standby];
    this.next("switchover");
    const lines = this.lines();
    let token = "";
    const acts: Record<Phase, () => Promise<unknown>> = {
      witness: () => this.holds(to, "site/witness", { value: "seen", ...lines }),
      drain: async () => {
        for (const site of [from, to])
          await this.holds(site, "site/maintenance", { value: "on", ...lines });
      },
      fence: async () => {
        const text = await this.holds(from, "postgres/fence", { value: "stop", ...lines });
        token = parseFacts(text)["token"] ?? "";
      },
      verify: () => this.holds(to, "postgres/verify", { value: "token", token, ...lines }),
      promote: async () => {
        await this.holds(to, "postgres/promote", { value: "permit", ...lines });
        this.#primary = to;
      },
      rejoin: () => this.settle(lines),
    };
    for (const phase of PHASES.slice(0, PHASES.indexOf(last) + 1)) await acts[phase]();
  }

  /** The other site follows, maintenance is off, the epoch is over. */
  async settle(lines = this.lines()): Promise<void> {
    await this.holds(this.standby, "postgres/rejoin", lines);
    for (const site of SITE_IDS) {
      await this.holds(site, "site/maintenance", { value: "off", ...lines });
      await this.holds(site, "postgres/settle", lines);
    }
    await this.ready();
  }

  /** The old primary goes on, as an update with the flag set back has it. */
  async resume(): Promise<void> {
    this.next("resume", this.#primary);
    const lines = this.lines();
    await this.holds(this.standby, "postgres/revoke", lines);
    await this.holds(this.#primary, "postgres/promote", { value: "resume", ...lines });
    await this.settle(lines);
  }

  /** The standby takes over from a primary that is off, and whatever that one holds alone is given up. */
  async failOver(): Promise<void> {
    const to = this.standby;
    this.next("failover");
    const lines = this.lines();
    const accepted = { value: "accepted", accept_loss: lines["epoch"] ?? "" };
    await this.holds(to, "postgres/verify", { ...accepted, ...lines });
    await this.holds(to, "postgres/promote", { value: "permit", ...lines });
    this.#primary = to;
  }

  /** What the next update does after a hand-over that ended anywhere: the promoted site serves, or the old one again. */
  async recover(promoted: boolean): Promise<void> {
    if (!promoted && this.#record.to === this.#primary) {
      if (await this.#opens()) return this.settle();
    }
    if (!promoted) return this.resume();
    const lines = this.lines();
    await this.holds(this.#primary, "postgres/promote", { value: "permit", ...lines });
    await this.settle({ ...lines, discard_delta: lines["epoch"] ?? "" });
  }

  /** Whether the guard opens a site that nothing speaks against, without any update. */
  #opens(): Promise<boolean> {
    return until("its guard opens it", 20_000, async () => {
      return (await this.writable(this.#primary)) === true;
    }).then(
      () => true,
      () => false,
    );
  }

  /** One verb over ssh; throws with its talk unless it holds. */
  async holds(site: SiteId, verb: string, more: Readonly<Record<string, string>> = {}) {
    const ran = await this.verb(site, verb, more);
    if (ran.exitCode !== 0) throw new Error(`${verb} at ${site}: ${ran.exitCode}\n${ran.stderr}`);
    return ran.stdout;
  }

  verb(
    site: SiteId,
    verb: string,
    more: Readonly<Record<string, string>> = {},
    as = "",
  ): Promise<SiteRun> {
    return this.enter(site, `${scriptText(scripts, verb)}\nmain`, more, as);
  }

  /** Shell text behind the library, over ssh as the runner does it: no pipe of ours reaches what it starts. */
  enter(site: SiteId, text: string, more: Readonly<Record<string, string>> = {}, as = "") {
    const input = Object.entries({ ...this.#settings(site), ...more })
      .map(([key, value]) => `${key}=${value}\n`)
      .join("");
    const whole = `${scriptText(scripts, "lib")}\n${text} <<'STANDBY_INPUT'\n${input}STANDBY_INPUT\n`;
    const shell = `umask 077; d=$(mktemp -d); ${as} timeout -k 2 90 sh -s >"$d/o" 2>"$d/e"; r=$?; cat "$d/o"; cat "$d/e" >&2; rm -rf "$d"; exit "$r"`;
    return this.host(site).ssh(shell, whole);
  }

  async observe(site: SiteId): Promise<Readonly<Record<string, string>>> {
    return parseFacts((await this.verb(site, "postgres/observe")).stdout);
  }

  /** Whether the server takes writes; undefined while it does not answer. */
  writable(site: SiteId): Promise<boolean | undefined> {
    return this.host(site)
      .query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
      .then(
        ([row]) => row?.standby === false,
        () => undefined,
      );
  }

  /** The postmaster's process id at the host; 0 while there is none. */
  postmaster(site: SiteId): Promise<number> {
    return postmasterOf(this.host(site));
  }

  /** A file of the state folder, or an empty text. */
  async state(site: SiteId, file: string): Promise<string> {
    return (await this.host(site).run(["cat", `${STATE}/${file}`])).stdout.trim();
  }

  close(): Promise<void> {
    return this.hosts.close();
  }

  #settings(site: SiteId): Record<string, string> {
    const key = publicKeyOf(this.#key);
    return {
      ...{ name: "shop", site, peer: otherSite(site), run: "1-test", state: STATE },
      ...{ data: CLUSTER.data, config: CONFIG, port: "5432", socket: "/run/postgresql" },
      ...{ host: ADDRESSES[site].v4, peer_host: ADDRESSES[otherSite(site)].v4, peer_port: "5432" },
      ...{ replication_user: "standby_replication", password: "hosts-lab", zone: ZONE },
      ...{ witness_name: WITNESS_NAME, servers: `${RUNNER} ${SECOND_NAME_SERVER}` },
      keys: `${key.id}=${key.raw}`,
    };
  }
}

/** The phases of a hand-over in which something can happen to a host. */
export const PHASES = ["witness", "drain", "fence", "verify", "promote", "rejoin"] as const;
export type Phase = (typeof PHASES)[number];

const PACKAGE = "postgresql-15";

/** What dpkg does before it unpacks a new version of the server: the old one's prerm. */
export async function upgradeBegins(host: Host): Promise<void> {
  const version = await host.must(["dpkg-query", "-W", "-f=${Version}", PACKAGE]);
  const script = `/var/lib/dpkg/info/${PACKAGE}.prerm`;
  await host.must(["env", `DPKG_MAINTSCRIPT_PACKAGE=${PACKAGE}`, ...[script, "upgrade", version]]);
}

/** The rest: the package is unpacked, and dpkg configures it. */
export async function upgradeEnds(host: Host): Promise<void> {
  const unpacked = `sed -i '/^Package: ${PACKAGE}$/,/^$/ s/^Status: .*/Status: install ok unpacked/' /var/lib/dpkg/status`;
  await host.must(["sh", "-c", unpacked]);
  await host.must(["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", PACKAGE]);
}
