import { setTimeout as pause } from "node:timers/promises";
import { HostPair, PHASES, UNIT, upgradeBegins, upgradeEnds } from "../../lab/hosts/pair";
import { ADDRESSES, RUNNER, SECOND_NAME_SERVER } from "../../lab/hosts/room";
import { watchWriters } from "../../lab/hosts/watched";
import type { WritableSpan } from "../../lab/sampler";
import { otherSite, type SiteId } from "../../plan/terms";
import { CELLS, nameOf, type Cell } from "./cells";

const SAMPLE_MS = 10;
/** Long enough for a guard to open a site that it holds, and for one that must fence to have done so. */
const AFTER_BOOT_MS = 8000;

/** What the boots showed. `control`: the same with nothing in front of Debian's unit, which must show two writers. */
export interface BootsReport {
  readonly make: "systemd";
  readonly boots: number;
  readonly samples: number;
  readonly twoWriterSamples: number;
  readonly overlapMs: number;
  readonly stuck: number;
  readonly units: Readonly<Record<SiteId, string>>;
  readonly cells: readonly { readonly cell: string; readonly stuck?: string }[];
  readonly control: { readonly twoWriterSamples: number; readonly overlapMs: number };
}

/** Boots hosts in the middle of everything, one after the other, and watches both servers over their sockets. */
export async function benchBoots(n = CELLS.length): Promise<BootsReport> {
  const pair = await HostPair.open();
  try {
    const sampler = watchWriters(pair, SAMPLE_MS);
    const cells: { cell: string; stuck?: string }[] = [];
    for (const cell of CELLS.slice(0, n)) {
      process.stdout.write(`${cells.length + 1}/${n} ${nameOf(cell)}`);
      const stuck = await boot(pair, cell).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      process.stdout.write(
        `: ${stuck ?? "back"}; two writers in ${sampler.twoWriterSamples} samples\n`,
      );
      cells.push({ cell: nameOf(cell), ...(stuck === undefined ? {} : { stuck }) });
    }
    await sampler.stop();
    const units = { a: await unitsOf(pair, "a"), b: await unitsOf(pair, "b") };
    const { samples, twoWriterSamples, spans } = sampler;
    const stuck = cells.filter((one) => one.stuck !== undefined).length;
    const seen = { samples, twoWriterSamples, overlapMs: overlapOf(spans), stuck };
    return {
      make: "systemd",
      boots: cells.length,
      ...seen,
      units,
      cells,
      control: await control(pair),
    };
  } finally {
    await pair.close();
  }
}

async function boot(pair: HostPair, cell: Cell): Promise<void> {
  const site = cell.host === "from" ? pair.primary : pair.standby;
  const host = pair.host(site);
  await set(pair, site, cell);
  const promoted = await begin(pair, cell, site);
  await host.powerOff();
  if (cell.at === "failover") await pair.failOver();
  await blind(pair, site, cell.sees);
  await host.powerOn();
  await pause(AFTER_BOOT_MS);
  await host.mend();
  if (cell.at === "upgrade") await upgradeEnds(host);
  await pair.recover(promoted || cell.at === "failover");
}

/** What the host's own configuration is in this cell. */
async function set(pair: HostPair, site: SiteId, { slow, enabled }: Cell): Promise<void> {
  const host = pair.host(site);
  await host.must(["systemctl", "--quiet", enabled ? "enable" : "disable", UNIT]);
  const unit = `[Unit]\nDefaultDependencies=no\nBefore=network-online.target\n[Service]\nType=oneshot\nExecStart=/bin/sleep ${slow ? 8 : 0}\n[Install]\nWantedBy=network-online.target\n`;
  await host.writeFile("/etc/systemd/system/late-network.service", unit);
  await host.must(["systemctl", "--quiet", "enable", "late-network.service"]);
}

/** True where the hand-over has promoted the other site. */
async function begin(pair: HostPair, { at }: Cell, site: SiteId): Promise<boolean> {
  if (at === "upgrade") await upgradeBegins(pair.host(site));
  const phase = PHASES.find((one) => one === at);
  if (phase === undefined) return false;
  await pair.switchOver(phase);
  return phase === "promote";
}

async function blind(pair: HostPair, site: SiteId, sees: Cell["sees"]): Promise<void> {
  const { link } = pair.host(site);
  const peer = ADDRESSES[otherSite(site)].v4;
  const dns = [RUNNER, SECOND_NAME_SERVER];
  const hidden = { all: [], "no peer": [peer], "no dns": dns, none: [peer, ...dns] }[sees];
  if (hidden.length > 0) await link.cutFrom(...hidden);
}

async function unitsOf(pair: HostPair, site: SiteId): Promise<string> {
  const { unit, owner, units, start_conf, guard_supervised } = await pair.observe(site);
  return `${unit} owner=${owner} units=${units} start.conf=${start_conf} supervised=${guard_supervised}`;
}

/** The old primary returns to a pair that has failed over, and nothing stands before its unit. */
async function control(pair: HostPair): Promise<BootsReport["control"]> {
  const site = pair.primary;
  const host = pair.host(site);
  const without =
    "systemctl disable standby-hold@shop; rm -f /etc/systemd/system/standby-hold@shop.service; rm -rf /etc/systemd/system/postgresql@15-main.service.d; sed -i '/^ExecStopPost/d' /etc/systemd/system/standby-guard@shop.service; sync";
  await host.must(["sh", "-c", without]);
  const sampler = watchWriters(pair, SAMPLE_MS);
  await host.powerOff();
  await pair.failOver();
  await host.powerOn();
  await pause(AFTER_BOOT_MS);
  await sampler.stop();
  return { twoWriterSamples: sampler.twoWriterSamples, overlapMs: overlapOf(sampler.spans) };
}

/** How long both called themselves writable, in milliseconds. */
function overlapOf(spans: readonly WritableSpan[]): number {
  const of = (site: SiteId) => spans.filter((span) => span.site === site);
  const both = of("a").flatMap((one) =>
    of("b").map((two) =>
      Math.max(0, Math.min(one.toMs, two.toMs) - Math.max(one.fromMs, two.fromMs)),
    ),
  );
  return Math.round(both.reduce((sum, ms) => sum + ms, 0));
}
