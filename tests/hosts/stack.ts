import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { openEngine, type Engine, type RunResult } from "../../lab/engine/engine";
import type { Hosts } from "../../lab/hosts/hosts";
import { room } from "../../lab/hosts/room";
import { WITNESS_KEY } from "../input/args";
import type { SiteId } from "../../plan/terms";

/** A stack of tests/hosts/program: README's pair on two hosts of the lab. */
export class HostsStack {
  private constructor(
    readonly hosts: Hosts,
    readonly engine: Engine,
  ) {}

  static async open(hosts: Hosts): Promise<HostsStack> {
    const engine = await openEngine({
      projectDir: join(__dirname, "program"),
      stack: "hosts",
      stateDir: mkdtempSync(join(room().folder, "stack-")),
      passphrase: "hosts",
    });
    const { cloudflare, door } = hosts;
    const config = {
      activeSite: "a",
      hostKeyA: door.hostKey("a"),
      hostKeyB: door.hostKey("b"),
      zoneId: cloudflare.zones.find(({ name }) => name === "shop.example")?.id ?? "",
      servers: JSON.stringify(
        cloudflare.dnsAddresses.map((address) => `${address}#${cloudflare.dnsPort}`),
      ),
      "cloudflare:baseUrl": cloudflare.apiUrl,
    };
    for (const [key, value] of Object.entries(config)) await engine.setConfig(key, value);
    await engine.setConfig("witnessKey", WITNESS_KEY, { secret: true });
    await engine.setConfig("cloudflare:apiToken", cloudflare.token, { secret: true });
    return new HostsStack(hosts, engine);
  }

  /** `pulumi up` with values put at paths of the program's arguments. */
  async up(put: Readonly<Record<string, unknown>> = {}): Promise<RunResult> {
    await this.engine.setConfig("put", JSON.stringify(put));
    return this.engine.up();
  }

  /** What an update wrote anywhere: state folders at the sites, records in the zone. */
  async written(): Promise<readonly string[]> {
    const folders = await Promise.all(
      (["a", "b"] as const).map(async (site) => {
        const look = "find /var/lib/standby /var/lib/postgresql/.pgpass 2>/dev/null; exit 0";
        const { stdout } = await this.hosts[site].run(["sh", "-c", look]);
        return stdout.split("\n").filter((line) => line !== "");
      }),
    );
    const records = this.hosts.cloudflare.records("shop.example").map(({ name }) => name);
    return [...folders.flat(), ...records.filter((name) => /standby|active|www/.test(name))];
  }

  /** Types what the hints of an update say, at the sites they name. Gives the lines. */
  async type(text: string): Promise<readonly string[]> {
    const lines = typed(text);
    for (const { site, line } of lines) {
      const ran = await this.hosts[site].ssh(line);
      if (ran.exitCode !== 0) throw new Error(`${line}: ${ran.stdout}${ran.stderr}`);
    }
    return lines.map(({ site, line }) => `${site}: ${line}`);
  }
}

/** Lines below `at site X (...):`, each indented by two. */
export function typed(text: string): readonly { readonly site: SiteId; readonly line: string }[] {
  let site: SiteId | undefined;
  return text.split("\n").flatMap((line) => {
    const head = /at site ([ab]) \(ssh .*\):$/.exec(line)?.[1];
    if (head !== undefined) {
      site = head === "a" ? "a" : "b";
      return [];
    }
    const command = /^ {2}(\S.*)$/.exec(line)?.[1];
    if (command === undefined || site === undefined) {
      site = undefined;
      return [];
    }
    return [{ site, line: command }];
  });
}

/** What an update said is wrong. */
export function errors(result: RunResult): string {
  return result.diagnostics
    .filter((one) => one.severity === "error")
    .map((one) => one.message)
    .join("\n");
}
