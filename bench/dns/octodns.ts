import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CALL_MS, rowOf, TTL, type DnsRow, type Flip } from "./tools";

/**
 * octoDNS and its Cloudflare provider from PyPI, unchanged but for its sleeps, which move the emulator's clock instead, and
 * for one loop: for each change it looks through all records of the zone, hours of a processor at 10,000 names. It is given
 * those of the changed name alone; calls and waits, which are what is measured, stay the same.
 */

const PACKAGES = ["octodns==1.13.0", "octodns-cloudflare==1.0.0"];
const INSTALL_MS = 120_000;
const SYNC_MS = 3_600_000;
let installed: string | undefined;

export async function octodnsRow(flip: Flip): Promise<DnsRow | { readonly why: string }> {
  const python = installed ?? install();
  if (typeof python !== "string") return python;
  installed = python;
  const { lab, clock, zone, names } = flip;
  for (const name of names)
    lab.setRecord(zone, { name, type: "A", content: "127.0.0.2", ttl: TTL });
  const folder = mkdtempSync(join(tmpdir(), "standby-octodns-"));
  const sleeps = createServer((request, response) => {
    clock.advance(Number(request.url?.slice(1) ?? 0));
    response.end();
  });
  await new Promise<void>((resolve) => sleeps.listen(0, "127.0.0.1", resolve));
  const { port } = sleeps.address() as AddressInfo;
  try {
    const began = clock.now();
    write(folder, flip, port);
    const failed = await sync(python, folder);
    if (failed !== undefined) return { why: failed };
    return rowOf("octoDNS", flip, began, 1);
  } finally {
    await new Promise((resolve) => sleeps.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

function install(): string | { readonly why: string } {
  const venv = join(tmpdir(), "standby-bench-octodns");
  const python = join(venv, "bin", "python");
  const has = () => spawnSync(python, ["-c", "import octodns_cloudflare"]).status === 0;
  if (existsSync(python) && has()) return python;
  const made = spawnSync("python3", ["-m", "venv", venv], {
    encoding: "utf8",
    timeout: INSTALL_MS,
  });
  if (made.status !== 0)
    return { why: `python3 -m venv: ${made.stderr.trim().split("\n").at(-1) ?? ""}` };
  const flags = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  const got = spawnSync(python, [...flags, ...PACKAGES], { encoding: "utf8", timeout: INSTALL_MS });
  if (got.status === 0) return python;
  return { why: `pip: ${got.stderr.trim().split("\n").at(-1) ?? "no answer in time"}` };
}

function write(folder: string, { lab, zone, names }: Flip, port: number): void {
  const short = (name: string) => name.slice(0, -zone.length - 1);
  const zoneFile = names.map((name) => `${short(name)}: {type: A, ttl: ${TTL}, value: 127.0.0.3}`);
  writeFileSync(join(folder, `${zone}.yaml`), `---\n${zoneFile.sort().join("\n")}\n`);
  const config = {
    providers: {
      config: {
        class: "octodns.provider.yaml.YamlProvider",
        directory: folder,
        enforce_order: false,
      },
      cf: { class: "octodns_cloudflare.CloudflareProvider", token: lab.token, pagerules: false },
    },
    zones: { [`${zone}.`]: { sources: ["config"], targets: ["cf"] } },
  };
  writeFileSync(join(folder, "config.yaml"), JSON.stringify(config));
  // One call takes its time on the virtual clock; a sleep only moves that clock.
  writeFileSync(
    join(folder, "run.py"),
    [
      "import sys, time, urllib.request, requests",
      `def tick(ms): urllib.request.urlopen('http://127.0.0.1:${port}/%d' % ms).read()`,
      "time.sleep = lambda seconds: tick(seconds * 1000)",
      "plain = requests.Session.request",
      "def request(self, method, url, *more, **options):",
      `    url = url.replace('https://api.cloudflare.com/client/v4', '${lab.apiUrl}')`,
      "    answer = plain(self, method, url, *more, **options)",
      `    tick(${CALL_MS})`,
      "    return answer",
      "requests.Session.request = request",
      "from octodns_cloudflare import CloudflareProvider",
      "whole = CloudflareProvider._apply_Update",
      "def apply_update(self, change):",
      "    records, name = self.zone_records, change.new.fqdn[:-1]",
      "    self.zone_records = lambda zone: [one for one in records(zone) if one.get('name') == name]",
      "    try: return whole(self, change)",
      "    finally: del self.zone_records",
      "CloudflareProvider._apply_Update = apply_update",
      "from octodns.cmds.sync import main",
      `sys.argv = ['octodns-sync', '--config-file', '${join(folder, "config.yaml")}', '--doit', '--force']`,
      "main()",
      "",
    ].join("\n"),
  );
}

/** Gives why it failed, if it did. */
function sync(python: string, folder: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(python, [join(folder, "run.py")], { timeout: SYNC_MS });
    let text = "";
    child.stderr.on("data", (bytes: Buffer) => (text = (text + bytes.toString()).slice(-2000)));
    child.stdout.resume();
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      const last = text.trim().split("\n").at(-1) ?? "";
      const why = signal === null ? last : `not done within ${SYNC_MS / 1000} s of this machine`;
      resolve(code === 0 ? undefined : `octodns-sync: ${why}`);
    });
  });
}
