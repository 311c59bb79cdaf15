// README's commands as they stand, on two fresh hosts, in the order of a life: set-up, planned move and back, failover with
// power loss, return, what only the lost site had, and back again.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { CLUSTER, configure, SHOP } from "../../lab/hosts/debian";
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { ADDRESSES, room, RUNNER } from "../../lab/hosts/room";
import { Ledger, LEDGER_ROWS } from "../../lab/ledger/ledger";
import { until } from "../../lab/postgres/processes";
import { Sampler } from "../../lab/sampler";
import { ROOT } from "../house/tree";
import { describeHosts } from "./describeHosts";
import { blocksOf, shellLines } from "./readme";
import { startRegistry } from "./registry";
import { Terminal } from "./terminal";

jest.setTimeout(600_000);

// All that is not typed as README has it. The addresses of the lab's hosts are README's own.
const PLACEHOLDERS = (of: { state: string; zoneId: string; token: string; epoch: string }) =>
  [
    [
      "'s3://BUCKET?endpoint=ACCOUNT.r2.cloudflarestorage.com&region=auto&s3ForcePathStyle=true'",
      of.state,
    ],
    ["ZONE_ID", of.zoneId],
    ["TOKEN", of.token],
    ["acceptUnproven 8", `acceptUnproven ${of.epoch}`],
    ["acceptLoss 8", `acceptLoss ${of.epoch}`],
  ] as const;

const RUNNERS = /^(export PULUMI_|npm install |npx standby |pulumi |openssl genpkey |sh runbook\/)/;
const SETUP = "Use it in your stack";
const NIGHT = "Fail over at 3 a.m.";
// What `pulumi new typescript --generate-only` makes.
const PROJECT = {
  "Pulumi.yaml":
    "name: shop\ndescription: An application on two hosting providers\nruntime: nodejs\n",
  "package.json": JSON.stringify({
    name: "shop",
    main: "index.ts",
    devDependencies: { "@types/node": "^20", typescript: "^5.0.0" },
    dependencies: { "@pulumi/pulumi": "^3.113.0" },
  }),
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      ...{ strict: true, outDir: "bin", target: "es2020", module: "commonjs" },
      ...{ moduleResolution: "node", sourceMap: true, forceConsistentCasingInFileNames: true },
    },
    files: ["index.ts"],
  }),
};

describeHosts("README's commands as they stand", () => {
  let hosts: Hosts;
  let registry: Awaited<ReturnType<typeof startRegistry>>;
  let terminal: Terminal;
  let ledger: Ledger;
  let sampler: Sampler;
  const clients: { stop(): Promise<void> }[] = [];
  let folder = "";
  let epoch = "8";

  const typed = (line: string): string =>
    PLACEHOLDERS({
      state: `'file://${join(folder, "state")}'`,
      zoneId: hosts.cloudflare.zones.find(({ name }) => name === "shop.example")?.id ?? "",
      token: hosts.cloudflare.token,
      epoch,
    }).reduce((text, [from, to]) => text.replaceAll(from, to), line);
  const holds = (lines: readonly string[] = []) => {
    // Danger: the runner is this very machine. A line meant for a site must never be typed here.
    for (const line of lines) if (!RUNNERS.test(line)) throw new Error(`not the runner's: ${line}`);
    return terminal.holds(lines.map(typed));
  };
  const night = (part: number) => shellLines("README.md", NIGHT)[part] ?? [];

  beforeAll(async () => {
    folder = mkdtempSync(join(room().folder, "readme-"));
    hosts = await startHosts({ b: "debian", listen: "localhost" });
    await configure(hosts.b, "localhost");
    registry = await startRegistry(RUNNER, join(folder, "registry"));
    const project = join(folder, "shop");
    for (const each of ["shop", "state", "bin", "home"]) mkdirSync(join(folder, each));
    for (const [name, text] of Object.entries(PROJECT)) writeFileSync(join(project, name), text);
    const program = blocksOf("README.md").find(({ language }) => language === "ts");
    writeFileSync(join(project, "index.ts"), program?.text ?? "");
    terminal = new Terminal(project, {
      PATH: [...pulumiFolder(join(folder, "bin")), process.env["PATH"] ?? ""].join(delimiter),
      // The vendor and the registry of this lab; a key for the state's secrets; nobody is asked.
      ...{ CLOUDFLARE_BASE_URL: hosts.cloudflare.apiUrl, npm_config_registry: registry.url },
      ...{ npm_config_cache: join(folder, "home/npm"), PULUMI_HOME: join(folder, "home/pulumi") },
      ...{ PULUMI_CONFIG_PASSPHRASE: "lab", PULUMI_SKIP_CONFIRMATIONS: "true" },
      CLOUDFLARE_API_TOKEN: hosts.cloudflare.token,
    });
  });
  afterAll(async () => {
    await Promise.all(clients.map((one) => one.stop()));
    terminal.close();
    registry.close();
    await hosts.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function startClients(): void {
    const { user, password } = SHOP;
    const port = CLUSTER.port;
    const login = { port, user, password };
    const dns = { address: hosts.cloudflare.dnsAddress, port: hosts.cloudflare.dnsPort };
    const known = [ADDRESSES.a.v4, ADDRESSES.b.v4];
    ledger = Ledger.start({ ...login, dns, name: "www.shop.example", hosts: known, delayMs: 20 });
    sampler = Sampler.start(
      known.map((host, index) => ({ ...login, host, site: "ab"[index] ?? "" })),
    );
    clients.push(ledger, sampler);
  }

  async function serves(site: "a" | "b"): Promise<void> {
    const { v4 } = ADDRESSES[site];
    const before = ledger.acked(v4);
    await until(`writes are acknowledged at ${site}`, 60_000, () => ledger.acked(v4) > before + 20);
    const answer = await terminal.type("curl -fsS --max-time 5 http://www.shop.example:8080/work");
    expect(answer.said).toMatch(new RegExp(`^site=${site} n=`));
  }

  test("site a gets its settings, and at b Debian's own cluster makes way", async () => {
    const parts = shellLines("README.md", SETUP);
    expect(parts).toHaveLength(3);
    for (const [index, host] of [hosts.a, hosts.b].entries()) {
      for (const line of parts[index] ?? []) {
        expect(await host.ssh(line)).toMatchObject({ exitCode: 0 });
      }
    }
  });

  test("the set-up ends with a pair", async () => {
    const done = await holds(shellLines("README.md", SETUP)[2]);
    expect(done.at(-1)?.line).toBe("pulumi up");
    startClients();
    await serves("a");
  });

  test("a second update changes nothing", async () => {
    expect((await terminal.type("pulumi up")).said).not.toMatch(/create|update|delete|replace/);
  });

  test("a planned move, and back by step 5", async () => {
    await holds(night(0));
    await serves("b");
    await holds(["pulumi config set activeSite a", "pulumi up --yes --skip-preview"]);
    await serves("a");
  });

  test("a killed update leaves a lock; step 3 breaks it and carries on", async () => {
    await terminal.type("timeout -s KILL 4 pulumi up --yes --skip-preview");
    await holds(night(2));
    await serves("a");
  });

  test("a is cut off with writes of its own and loses power: the update refuses and names the epoch", async () => {
    await hosts.a.link.cutFrom(ADDRESSES.b.v4);
    await pause(1000);
    await hosts.a.powerOff();
    const [set, up = ""] = night(0);
    await holds([set ?? ""]);
    const refused = await terminal.type(up);
    expect(refused.code).not.toBe(0);
    epoch = /pulumi config set acceptUnproven (\d+)/.exec(refused.said)?.[1] ?? "none named";
    expect(refused.said).toContain(`pulumi config set acceptLoss ${epoch}`);
  });

  test("step 2: accepted, b serves", async () => {
    await holds(night(1));
    await serves("b");
  });

  test("a comes back and follows; what only a had is shown and applied", async () => {
    await hosts.a.mend();
    await hosts.a.powerOn();
    expect(await writable(hosts, "a")).toBe(false);
    await holds(["pulumi up"]);
    const [shown] = await holds(["pulumi stack export | npx standby delta show"]);
    expect(shown?.said).toMatch(/^rows=[1-9]/m);
    await holds(["pulumi stack export | npx standby delta apply"]);
    await holds(["pulumi stack export | npx standby delta apply --yes"]);
  });

  test("the flag goes back to a; no acknowledged write is missing, and there never were two writers", async () => {
    await holds(["pulumi config set activeSite a", "pulumi up --yes --skip-preview"]);
    await serves("a");
    await Promise.all([ledger.stop(), sampler.stop()]);
    const report = ledger.report(await hosts.a.query<{ writer: number; seq: number }>(LEDGER_ROWS));
    expect(report.lost).toEqual([]);
    expect(report.unexpected).toEqual([]);
    expect(report.overlappingAcks).toBe(0);
    expect(sampler.twoWriterSamples).toBe(0);
    expect(report.acked).toBeGreaterThan(1000);
  });

  test.each([
    "pulumi stack export --file shop.json",
    "pulumi stack export | npx standby preflight",
    "pulumi stack export | npx standby rehearse --site a --plain --port 8080 --json rehearsal.json",
    "pulumi config set activeSite b",
    "pulumi preview --json >preview.json",
    "npx standby runbook --preview preview.json --out runbook",
    "npx standby status --preview preview.json",
    "sh runbook/01-preflight.sh",
    "pulumi config set activeSite a",
    "pulumi up",
    `npx standby adopt --zone shop.example --zone-id ZONE_ID --a ${ADDRESSES.a.v4}`,
  ])("the documents' other commands: %s", async (line) => {
    await holds([line]);
  });
});

async function writable(hosts: Hosts, site: "a" | "b"): Promise<boolean> {
  return hosts[site]
    .query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
    .then(([row]) => row?.standby === false)
    .catch(() => false);
}

/** Folder of the `pulumi` to type: the real one on PATH, or else the bench's, which takes the same words. */
function pulumiFolder(folder: string): readonly string[] {
  const real = (process.env["PATH"] ?? "").split(delimiter);
  if (real.some((one) => one !== "" && existsSync(join(one, "pulumi")))) return [];
  const program = join(folder, "pulumi");
  const bench = join(ROOT, "dist/lab/engine/main.js");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${bench}' "$@"\n`);
  chmodSync(program, 0o755);
  return [folder];
}
