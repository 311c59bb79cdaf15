import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openEngine, type Engine, type RunResult } from "../../lab/engine/engine";
import { startLab, type Lab } from "../../lab/lab";
import { until } from "../../lab/postgres/processes";
import { runAsOwner } from "../../lab/postgres/programs";
import type { LabSite } from "../../lab/site";
import type { SiteId } from "../../plan/terms";

/** The lab and an engine on tests/input/program: a real pair whose arguments and surroundings a test bends. */
export class InputBench {
  private constructor(
    readonly lab: Lab,
    readonly engine: Engine,
  ) {}

  static async open(): Promise<InputBench> {
    const lab = await startLab();
    const engine = await openEngine({
      projectDir: join(__dirname, "program"),
      stack: "input",
      stateDir: join(lab.dir, "stack"),
      passphrase: "input",
    });
    for (const [key, { value, secret }] of Object.entries(lab.stackConfig("a"))) {
      await engine.setConfig(key, value, { secret });
    }
    return new InputBench(lab, engine);
  }

  /** `pulumi config set` of plain keys (`""` removes one), then `pulumi up`. */
  async up(
    config: Readonly<Record<string, string>>,
    put: Readonly<Record<string, unknown>> = {},
  ): Promise<RunResult> {
    await this.configure(config, put);
    return this.engine.up();
  }

  async configure(
    config: Readonly<Record<string, string>>,
    put: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    for (const [key, value] of Object.entries({ ...config, put: JSON.stringify(put) })) {
      if (value === "") await this.engine.removeConfig(key);
      else await this.engine.setConfig(key, value);
    }
  }

  /** SQL at a site, as its superuser. */
  sql(site: SiteId, text: string): Promise<unknown> {
    return this.lab.sites[site].cluster.query(text);
  }

  /** ALTER SYSTEM and a reload; gives what takes it back. */
  async set(site: SiteId, name: string, value: string): Promise<() => Promise<void>> {
    const reload = () => this.sql(site, "select pg_reload_conf()");
    await this.sql(site, `alter system set ${name} = '${value}'`);
    await reload();
    return async () => {
      await this.sql(site, `alter system reset ${name}`);
      await reload();
    };
  }

  /** Waits until site b streams from site a. */
  streams(): Promise<void> {
    return until("site b streams", 10_000, async () => {
      const rows = await this.lab.a.cluster.query(
        "select from pg_stat_replication where state = 'streaming'",
      );
      return rows.length > 0;
    });
  }

  /** All that an update can change: both sites' databases and records, the zone, and, unless a step ran, the stack. */
  async snapshot(): Promise<Snapshot> {
    const { lab } = this;
    const { deployment } = await this.engine.exportStack();
    return {
      stack: JSON.stringify((deployment.resources ?? []).filter((one) => one.type !== PAIR)),
      zone: JSON.stringify(lab.cloudflare.records(lab.zone)),
      writes: lab.cloudflare.requests().filter((one) => one.method !== "GET").length,
      a: await siteState(lab.a),
      b: await siteState(lab.b),
    };
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

// The engine has stored the pair's one input, activeSite, before the program can look at anything.
const PAIR = "standby:index:StandbyPair";

export interface Snapshot {
  readonly stack: string;
  readonly zone: string;
  readonly writes: number;
  readonly a: Readonly<Record<string, string>>;
  readonly b: Readonly<Record<string, string>>;
}

const CONTROL =
  /^(Database system identifier|Database cluster state|Latest checkpoint's TimeLineID)/;

async function siteState(site: LabSite): Promise<Readonly<Record<string, string>>> {
  const { cluster } = site;
  const data = cluster.dataDirectory;
  const control = existsSync(join(data, "PG_VERSION"))
    ? await runAsOwner(join(cluster.bindir, "pg_controldata"), [`--pgdata=${data}`])
    : "";
  const files = ["standby.signal", "postgresql.auto.conf", "pg_hba.conf"].map((name) =>
    join(data, name),
  );
  return {
    control: control
      .split("\n")
      .filter((line) => CONTROL.test(line))
      .join("; "),
    ...Object.fromEntries(
      [...files, join(site.home, ".pgpass"), ...below(cluster.stateDirectory)].map((file) => [
        file.slice(site.dir.length),
        existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : "-",
      ]),
    ),
  };
}

/** Files of the state folder; lock, logs and the guard's sign of life are no state. */
function below(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(lock|log\/.*|guard\.live)$/.test(file.slice(folder.length)))
    .sort();
}
