import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { preflight } from "../cli/preflight";
import { startCloudflareLab, VirtualClock, type CloudflareLab } from "../lab/cloudflare";
import { plantFaults } from "../lab/cloudflare/plant";
import { seedPair, shapeOf } from "../lab/cloudflare/seed";
import { packageRoot } from "../lab/tour";
import { zonesOfState } from "../plan/dns/state";
import { benchFleet, type Fleet } from "./dns/fleet";
import { octodnsRow } from "./dns/octodns";
import { perNameRow, pivotRow, type DnsRow, type Flip } from "./dns/tools";

/** What `bench -- dns` found. Seconds are of the emulator's virtual clock: 0.2 s a call, 1,200 calls in 300 s. */
export interface DnsReport {
  readonly rows: readonly DnsRow[];
  /** Real seconds, not virtual ones. */
  readonly fleet: Fleet | { readonly why: string };
  readonly skipped: readonly { readonly tool: string; readonly n: number; readonly why: string }[];
  readonly strays: { readonly n: number; readonly refused: number; readonly falseRefusals: number };
  readonly planted: {
    readonly n: number;
    readonly named: number;
    readonly records: number;
    readonly calls: number;
    readonly virtualSeconds: number;
  };
}

// Last verified 2026-11: neither its provider nor its settings name a base URL; the client it uses has one, unexposed.
const NO_BASE_URL = "it has no setting for another API address";
const FLEET_ROUNDS = 5;
const SIZES = [1, 100, 1000, 10_000];

export async function benchDns(
  sizes: readonly number[] = SIZES,
  fleetRounds = FLEET_ROUNDS,
): Promise<DnsReport> {
  const rows: DnsRow[] = [];
  const skipped: { tool: string; n: number; why: string }[] = [];
  for (const n of sizes) {
    rows.push(await onEmulator(n, pivotRow), await onEmulator(n, perNameRow));
    const other = await onEmulator(n, octodnsRow);
    if ("why" in other) skipped.push({ tool: "octoDNS", n, why: other.why });
    else rows.push(other);
    skipped.push({ tool: "DNSControl", n, why: NO_BASE_URL });
    process.stdout.write(
      rows
        .filter((row) => row.n === n)
        .map(line)
        .join(""),
    );
  }
  for (const { tool, n, why } of skipped) process.stdout.write(`${tool} n=${n} skipped: ${why}\n`);
  const planted = await plantedFaults();
  const strays = strayPlans();
  process.stdout.write(
    `planted faults: ${planted.named} of ${planted.n} named in ${planted.records} records, ${planted.calls} calls, ${planted.virtualSeconds} s\n` +
      `stray plans: ${strays.refused} of ${strays.n} refused, ${strays.falseRefusals} of ${strays.n} clean ones refused\n`,
  );
  const fleet = fleetRounds > 0 ? await benchFleet(fleetRounds) : { why: "not asked for" };
  process.stdout.write(fleetText(fleet));
  return { rows, skipped, strays, planted, fleet };
}

function fleetText(fleet: DnsReport["fleet"]): string {
  if ("why" in fleet) return `resolver fleet skipped: ${fleet.why}\n`;
  const { ttlSeconds, watchedSeconds, rows } = fleet;
  return rows
    .map(({ kind, n, p50Seconds, maxSeconds, neverMoved }) => {
      const never = neverMoved > 0 ? `, ${neverMoved} not within ${watchedSeconds} s` : "";
      return `last client, TTL ${ttlSeconds} s: ${kind.padEnd(42)} p50 ${p50Seconds} s, max ${maxSeconds} s of ${n} flips${never}\n`;
    })
    .join("");
}

const ZONE = "shop.test";
const namesOf = (n: number) => Array.from({ length: n }, (_, i) => `n${i}.${ZONE}`);

async function onEmulator<T>(n: number, tool: (flip: Flip) => Promise<T>): Promise<T> {
  const clock = new VirtualClock();
  const lab = await startCloudflareLab({ zones: [{ name: ZONE }], clock });
  try {
    return await tool({ lab, clock, zone: ZONE, zoneId: idOf(lab), names: namesOf(n) });
  } finally {
    await lab.close();
  }
}

const idOf = (lab: CloudflareLab) => lab.zones[0]?.id ?? "";

async function plantedFaults(): Promise<DnsReport["planted"]> {
  const lab = await startCloudflareLab({ zones: [{ name: ZONE }] });
  try {
    const state = seedPair(lab, shapeOf([{ zone: ZONE, hostnames: namesOf(10_000) }]));
    const planted = plantFaults(lab, ZONE);
    const found = await preflight({ base: lab.apiUrl, token: lab.token }, zonesOfState(state));
    const named = planted.filter(({ code, name }) =>
      found.findings.some((one) => one.code === code && one.name === name),
    );
    const { calls, records } = found;
    const virtualSeconds = Number((calls * 0.2).toFixed(1));
    return { n: planted.length, named: named.length, records, calls, virtualSeconds };
  } finally {
    await lab.close();
  }
}

/** The property test itself, so that the figure is that of the suite. */
function strayPlans(): DnsReport["strays"] {
  const folder = mkdtempSync(join(tmpdir(), "standby-strays-"));
  const file = join(folder, "strays.json");
  try {
    const jest = join(dirname(require.resolve("jest/package.json")), "bin", "jest.js");
    const run = spawnSync(process.execPath, [jest, "-w", "1", "tests/comment/strays"], {
      cwd: packageRoot(),
      env: { ...process.env, STRAYS_JSON: file },
      encoding: "utf8",
    });
    if (run.status !== 0) process.stdout.write(run.stderr);
    return JSON.parse(readFileSync(file, "utf8")) as DnsReport["strays"];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function line(row: DnsRow): string {
  const {
    tool,
    n,
    writes,
    calls,
    virtualSeconds,
    lastNameMovedSeconds,
    bothSitesNameSeconds,
    runs,
  } = row;
  return `${tool.padEnd(24)} n=${String(n).padStart(6)} ${String(writes).padStart(6)} writes ${String(calls).padStart(6)} calls ${String(virtualSeconds).padStart(8)} s, last name moved after ${lastNameMovedSeconds} s (with TTL), both sites served ${bothSitesNameSeconds} name-seconds, ${runs} runs\n`;
}
