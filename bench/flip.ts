import { readFileSync } from "node:fs";
import { join } from "node:path";
import { measure, refusalOf, warm, type MeasuredTransition } from "../lab/flip";
import type { TourLab } from "../lab/place";
import { runHere, type LabSite } from "../lab/site";
import { hasSshd } from "../lab/sshd";
import { packageRoot, Tour } from "../lab/tour";
import { ssh } from "../components";
import { otherSite, type SiteId } from "../plan/terms";
import { quantiles, type Quantiles } from "./statistics";
import { UsageWatch, type Usage } from "./usage";

/** What `bench -- flip` found. Milliseconds. */
export interface FlipReport {
  readonly engine: string;
  readonly transport: Transport;
  readonly n: number;
  readonly lost: number;
  readonly databaseGapMs: Quantiles;
  readonly publicGapMs: Quantiles;
  /**
   * Database gap of the bare script over the same transport: the same stop, compare and promote without a proof, a lock or a plan.
   * Absent on hosts.
   */
  readonly floorMs?: Quantiles;
  readonly updateMs: Quantiles;
  readonly stepsMs: Readonly<Record<string, Quantiles>>;
  /** The program's. */
  readonly peakRssMb: number;
  readonly program: Usage;
  /** On the lab engine: one process with the clients and the emulator in it. */
  readonly engineProcess: Usage;
}

/** How the product enters the sites: directly, or through a real sshd at each. */
export type Transport = "local" | "ssh";

/** n flips of stacks/example on two hosts with systemd, entered as root over ssh; the bare script knows no hosts. */
export async function benchHosts(n: number): Promise<FlipReport> {
  const product = await Tour.onHosts();
  try {
    return await sideBySide(n, "ssh", product);
  } finally {
    await product.close();
  }
}

/** Runs n pairs: one flip by the product, one by the floor script on a pair of its own, with the same clients. */
export async function benchFlip(n: number, transport: Transport): Promise<FlipReport> {
  if (transport === "ssh" && !hasSshd) {
    throw new Error("--transport ssh: there is no sshd here\nHINT: apt-get install openssh-server");
  }
  const product = await Tour.open({ ssh: transport === "ssh" });
  try {
    const floor = await Tour.open({ guards: false, ssh: transport === "ssh" });
    try {
      return await sideBySide(n, transport, product, floor);
    } finally {
      await floor.close();
    }
  } finally {
    await product.close();
  }
}

async function sideBySide(
  n: number,
  transport: Transport,
  product: Tour<TourLab>,
  floor?: Tour,
): Promise<FlipReport> {
  await begin(product);
  if (floor !== undefined) await begin(floor);
  const flips: MeasuredTransition[] = [];
  const gaps: number[] = [];
  const watch = new UsageWatch(product.engine.kind);
  for (let round = 0; round < n; round += 1) {
    const from: SiteId = round % 2 === 0 ? "a" : "b";
    flips.push(await watch.during(() => productFlip(product, otherSite(from))));
    if (floor !== undefined) gaps.push(await floorFlip(floor, from));
    say(round + 1, n, flips.at(-1), gaps.at(-1));
  }
  const engine = `${product.engine.kind} ${product.engine.version}`;
  const used = { program: watch.program, engineProcess: watch.engine };
  return print({
    engine,
    transport,
    ...summary(flips, gaps),
    ...used,
    peakRssMb: used.program.peakRssMb,
  });
}

async function begin(tour: Tour<TourLab>): Promise<void> {
  const result = await tour.update({ activeSite: "a" });
  if (result.exitCode !== 0) throw new Error(refusalOf(result));
}

async function productFlip(tour: Tour<TourLab>, to: SiteId): Promise<MeasuredTransition> {
  const { result, measured } = await measure(tour, { activeSite: to });
  if (measured === undefined) throw new Error(refusalOf(result));
  return measured;
}

/** The bare script between the same clients; its drain, serve and DNS write are the lab's own commands. */
async function floorFlip(tour: Tour, from: SiteId): Promise<number> {
  const { lab } = tour;
  const to = otherSite(from);
  const [old, next] = [lab.sites[from], lab.sites[to]];
  tour.startClients();
  const { ledger } = tour.clients;
  await warm(() => ledger.acked() > 200);
  const beganAt = Date.now();
  const conninfo = `host=${next.host} port=${next.cluster.port} user=standby_replication application_name=standby_${from}`;
  const program = [
    ...["env", `DRAIN=${services(tour, from, "stop")}`, `SERVE=${services(tour, to, "start")}`],
    ...["sh", "-s", "--", old.cluster.bindir],
    ...[old.cluster.dataDirectory, next.cluster.dataDirectory],
    ...[old.cluster.socketDirectory, next.cluster.socketDirectory],
    ...[String(old.cluster.port), String(next.cluster.port), `standby_${from}`, conninfo],
  ];
  const script = readFileSync(join(packageRoot(), "bench", "floor", "flip.sh"), "utf8");
  const ways = waysOf(old, next);
  const run = await (ways === "" ? old.run(program, script) : runHere(program, `${ways}${script}`));
  if (run.exitCode !== 0) throw new Error(`the floor script failed: ${run.stderr}`);
  lab.cloudflare.setRecord(lab.zone, {
    name: `active.${lab.zone}`,
    type: "CNAME",
    content: `site-${to}.${lab.zone}`,
  });
  const endedAt = Date.now();
  const before = ledger.acked();
  await warm(() => ledger.acked() > before + 200);
  await tour.stopClients();
  const gap = ledger.databaseGap(beganAt, endedAt);
  if (gap === undefined) throw new Error("the floor's gap did not end");
  return gap.ms;
}

/** Over ssh the bare script enters its two sites as the product does; else it runs at the site that is left. */
function waysOf(old: LabSite, next: LabSite): string {
  const [from, to] = [old.sshServer, next.sshServer];
  if (from === undefined || to === undefined) return "";
  return [
    "uid=$(id -u) work=$(mktemp -d); trap 'rm -rf \"$work\"' EXIT",
    `enter_from() {\n${ssh(from.access).enter(old.id)}\n}`,
    `enter_to() {\n${ssh(to.access).enter(next.id)}\n}`,
    "",
  ].join("\n");
}

function services(tour: Tour, site: SiteId, verb: "start" | "stop"): string {
  const { home } = tour.lab.sites[site];
  return ["worker", "web"].map((name) => `'${home}/service' ${verb} ${name}`).join("; ");
}

function summary(flips: readonly MeasuredTransition[], gaps: readonly number[]) {
  const defined = (values: readonly (number | undefined)[]) =>
    values.filter((value) => value !== undefined);
  const ids = [...new Set(flips.flatMap((flip) => flip.steps.map((step) => step.id)))];
  const steps = ids.map((id) => {
    const times = flips.flatMap((flip) =>
      flip.steps.filter((step) => step.id === id).map((step) => step.ms),
    );
    return [id, quantiles(times)] as const;
  });
  return {
    n: flips.length,
    lost: flips.reduce((sum, flip) => sum + flip.lost, 0),
    databaseGapMs: quantiles(defined(flips.map((flip) => flip.databaseGapMs))),
    publicGapMs: quantiles(defined(flips.map((flip) => flip.publicGapMs))),
    ...(gaps.length === 0 ? {} : { floorMs: quantiles(gaps) }),
    updateMs: quantiles(flips.map((flip) => flip.updateMs)),
    stepsMs: Object.fromEntries(steps),
  };
}

function say(
  round: number,
  n: number,
  flip: MeasuredTransition | undefined,
  floor: number | undefined,
): void {
  process.stdout.write(
    `${round}/${n}: database gap ${flip?.databaseGapMs ?? "?"} ms, floor ${floor === undefined ? "-" : Math.round(floor)} ms, public gap ${flip?.publicGapMs ?? "?"} ms, update ${flip?.updateMs ?? "?"} ms, lost ${flip?.lost ?? "?"}\n`,
  );
}

const used = (name: string, { peakRssMb, cpuMs }: Usage) =>
  `${name}: peak memory ${peakRssMb} MB, processor time of one flip p50 ${cpuMs.p50} ms, max ${cpuMs.max} ms\n`;

function print(report: FlipReport): FlipReport {
  const line = (name: string, of: Quantiles) =>
    `${name.padEnd(16)} p50 ${String(of.p50).padStart(6)}  p95 ${String(of.p95).padStart(6)}  max ${String(of.max).padStart(6)} ms\n`;
  process.stdout.write(
    `\n${report.n} flips by ${report.engine} over ${report.transport}${report.floorMs === undefined ? "" : `, beside ${report.n} by the bare script`}; ${report.lost} acknowledged writes lost\n` +
      line("database gap", report.databaseGapMs) +
      (report.floorMs === undefined ? "" : line("floor", report.floorMs)) +
      line("public gap", report.publicGapMs) +
      line("whole update", report.updateMs) +
      Object.entries(report.stepsMs)
        .map(([id, of]) => line(`  ${id}`, of))
        .join("") +
      used("program", report.program) +
      used("engine, with clients and emulator", report.engineProcess),
  );
  return report;
}
