/** What the tests of whole updates share: the lab's pair seen from outside the program. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { local } from "../../components";
import type { RunResult } from "../../lab/engine/engine";
import { refusalOf, toldPlan, type ToldPlan } from "../../lab/flip";
import type { LabStack, LabStackSite } from "../../stacks/demo/lab";
import type { Tour } from "../../lab/tour";
import { parseDesired, type Desired } from "../../plan/desired";
import { otherSite, SITE_IDS, type SiteId } from "../../plan/terms";

/** The wish of stacks/demo on this lab. */
export function wishOn(tour: Tour, activeSite: SiteId, accept: Partial<Desired> = {}): Desired {
  const lab = JSON.parse(tour.lab.stackConfig().lab?.value ?? "{}") as LabStack;
  const site = (id: SiteId, of: LabStackSite) => {
    const { provider, region, host, wrap, stateDirectory, port, superuser } = of;
    const { dataDirectory, socketDirectory, binDirectory } = of;
    const { enter, enterLine } = local({ wrap: [wrap] });
    return {
      ...{ provider, region, addresses: { v4: host }, stateDirectory },
      ...{ enter: enter(id), enterLine },
      database: { host, port, dataDirectory, socketDirectory, binDirectory, superuser },
    };
  };
  const parsed = parseDesired({
    name: "shop",
    activeSite,
    sites: { a: site("a", lab.sites.a), b: site("b", lab.sites.b) },
    services: lab.services,
    dns: { zones: [{ zone: lab.zone, hostnames: lab.hostnames }], servers: lab.servers },
    guard: { bound: 8, after: 3, poll: 1 },
    witnessKeys: [tour.lab.witnessPublicKey],
    ...accept,
  });
  if ("wish" in parsed) return parsed.wish;
  throw new Error(JSON.stringify(parsed.issues));
}

/** Everything that a preview might have changed, as text: databases, sites, zone, state. */
export async function world(tour: Tour): Promise<Readonly<Record<string, string>>> {
  const { lab } = tour;
  const entries: [string, string][] = [
    ["zone", JSON.stringify(lab.cloudflare.records(lab.zone))],
    ["writes", String(tour.dnsWrites(0))],
    ["stack", hashUnder(join(lab.dir, "stack"))],
  ];
  for (const site of SITE_IDS) {
    const { cluster } = lab.sites[site];
    entries.push([`files of ${site}`, hashUnder(cluster.stateDirectory, WRITTEN_BY_VERBS)]);
    const control = await cluster.controlData().catch(() => new Map([["no", "cluster"]]));
    entries.push([`control file of ${site}`, JSON.stringify([...control])]);
  }
  return Object.fromEntries(entries);
}

// The running guard writes into the same folder whatever an update does: its heartbeat, its lease.
const WRITTEN_BY_VERBS =
  /\/(record|settled|promoted|run|token|permit|prepared|maintenance|guard|guard\.conf)$/;

function hashUnder(folder: string, only = /./): string {
  if (!existsSync(folder)) return "none";
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => only.test(file))
    .sort();
  const lines = files.map(
    (file) => `${file} ${createHash("sha256").update(readFileSync(file)).digest("hex")}`,
  );
  return lines.join("\n");
}

/** Stops whatever writes at both sites, and waits until the standby has replayed it all. */
export async function still(tour: Tour): Promise<void> {
  for (const site of SITE_IDS) {
    await tour.lab.sites[site].service("stop", "worker");
    await tour.lab.sites[site].cluster.query("checkpoint").catch(() => undefined);
  }
  await caughtUp(tour);
  for (const site of SITE_IDS) {
    await tour.lab.sites[site].cluster.query("checkpoint").catch(() => undefined);
  }
}

async function caughtUp({ lab }: Tour): Promise<void> {
  for (const site of SITE_IDS) {
    const behind = () =>
      lab.sites[site].cluster.query<{ behind: boolean }>(
        "select exists (select from pg_stat_replication where replay_lsn < pg_current_wal_lsn()) as behind where not pg_is_in_recovery()",
      );
    for (let tries = 0; tries < 200; tries += 1) {
      const rows = await behind().catch(() => []);
      if (rows[0]?.behind !== true) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** An update that must end well. */
export async function up(tour: Tour, config: Readonly<Record<string, string>>): Promise<RunResult> {
  const result = await tour.update(config);
  if (result.exitCode !== 0) throw new Error(refusalOf(result) || result.stdout);
  return result;
}

/** What an update or preview told about its plan; an error when it refused. */
export function planOf(result: RunResult): ToldPlan {
  const plan = toldPlan(result);
  if (plan === undefined) throw new Error(refusalOf(result) || result.stdout);
  return plan;
}

/** How many resources were changed in any way. */
export function changes(result: RunResult): number {
  const { same: _same, ...rest } = result.summary;
  return Object.values(rest).reduce((sum, count) => sum + count, 0);
}

/** An update in which one verb kills itself where scripts name a checkpoint: nothing after it happens. */
export async function endedAt(tour: Tour, checkpoint: string): Promise<RunResult> {
  return tour.engine.up({ env: { FAIL_AT: checkpoint } });
}

/** Which sites accept writes now. */
export async function writableSites(tour: Tour): Promise<readonly SiteId[]> {
  const found: SiteId[] = [];
  for (const site of SITE_IDS) {
    const rows = await tour.lab.sites[site].cluster
      .query<{ writable: boolean }>("select not pg_is_in_recovery() as writable")
      .catch(() => []);
    if (rows[0]?.writable === true) found.push(site);
  }
  return found;
}

export { otherSite, type SiteId };
