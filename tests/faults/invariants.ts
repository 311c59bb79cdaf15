import { otherSite, type SiteId } from "../../plan/terms";
import { writers, lastRecordBeforeFork, type Evidence } from "./evidence";
import { deltaDiffers } from "./kept";
import type { CellLab } from "../../lab/place";
import type { Load } from "./load";

/** How far a pivot's change may lie before the first moment at which the sampler saw its target writable. */
const SAMPLER_MS = 60;

/** What the end of a cell is judged by. */
export interface Ending {
  /** The site that shall serve in the end. */
  readonly goal: SiteId;
  /** A person accepted that writes stay behind at the other site. */
  readonly lossAccepted: boolean;
  /** The other site cannot follow, and the last update said so. */
  readonly standbyWaits: boolean;
  /** At rest nothing is started; the last update said that the services are not as they should be. */
  readonly servicesNamed: boolean;
  readonly before: Evidence;
  readonly after: Evidence;
  readonly changesBefore: number;
}

/** Every invariant that does not hold, with its number. Empty: green. */
export async function violations(lab: CellLab, load: Load, ending: Ending): Promise<string[]> {
  return [
    ...neverTwo(load),
    ...(await nothingLost(load, ending)),
    ...deltaStands(lab, ending),
    ...dnsAfterPromotion(lab, load, ending),
    ...atGoal(ending),
    ...noLeaks(ending),
    ...(await provenHandOver(lab, ending)),
  ];
}

/** I1, for as long as the cell ran. */
export function neverTwo(load: Load): string[] {
  const { samples, twoWriterSamples } = load.sampler;
  return [
    ...claim(
      twoWriterSamples === 0,
      `I1: two writers in ${twoWriterSamples} of ${samples} samples`,
    ),
  ];
}

async function nothingLost(load: Load, ending: Ending): Promise<string[]> {
  const report = await load.account(ending.goal, ending.lossAccepted);
  const name = ending.lossAccepted ? "I3" : "I2";
  const some = (keys: readonly string[]) => keys.slice(0, 3).join(" ");
  return [
    ...claim(
      report.overlappingAcks === 0,
      `I1: ${report.overlappingAcks} acknowledged writes overlap`,
    ),
    ...claim(
      report.lost.length === 0,
      `${name}: ${report.lost.length} of ${report.acked} acknowledged writes are lost: ${some(report.lost)}`,
    ),
    ...claim(report.unexpected.length === 0, `${name}: rows of nobody: ${some(report.unexpected)}`),
    ...claim(report.duplicates.length === 0, `${name}: double rows: ${some(report.duplicates)}`),
  ];
}

/** I10 */
function deltaStands(lab: CellLab, { goal }: Ending): string[] {
  const differs = deltaDiffers(lab.sites[otherSite(goal)]);
  return differs === undefined ? [] : [`I10: ${differs}`];
}

/** I4: the pivot moves to a site only once that site accepts writes; and at the end it names the one that does. */
function dnsAfterPromotion(lab: CellLab, load: Load, ending: Ending): string[] {
  const pivot = `active.${lab.zone}`;
  const moves = lab.cloudflare
    .history()
    .slice(ending.changesBefore)
    .filter((change) => change.after?.name === pivot && change.source === "api");
  const early = moves.filter(({ ms, after }) => {
    const spans = load.sampler.spans.filter(({ site }) =>
      after?.content.startsWith(`site-${site}.`),
    );
    return !spans.some((span) => span.fromMs <= ms + SAMPLER_MS);
  });
  const wanted = `site-${ending.goal}.`;
  return [
    ...claim(
      early.length === 0,
      `I4: the pivot moved before ${early[0]?.after?.content} was writable`,
    ),
    ...claim(
      ending.after.pivot.startsWith(wanted),
      `I4: the pivot says ${ending.after.pivot}, not ${wanted}`,
    ),
  ];
}

/** I7 */
function atGoal({ goal, after, standbyWaits, servicesNamed }: Ending): string[] {
  const other = otherSite(goal);
  return [
    ...claim(
      writers(after).join() === goal,
      `I7: writable is ${writers(after).join(" and ") || "nobody"}, not ${goal}`,
    ),
    ...claim(standbyWaits || after[other].streaming, `I7: site ${other} does not stream`),
    ...claim(
      !after[other].streaming || after[other].timeline === after[goal].timeline,
      `I7: site ${other} streams on timeline ${after[other].timeline}`,
    ),
    ...claim(
      servicesNamed || after[goal].services === 2,
      `I7: ${after[goal].services} services at ${goal}`,
    ),
    ...claim(after[other].services === 0, `I7: ${after[other].services} services at ${other}`),
  ];
}

/** I8 */
function noLeaks({ goal, after, standbyWaits }: Ending): string[] {
  const other = otherSite(goal);
  const places = standbyWaits ? [goal] : [goal, other];
  const left = places.flatMap((site) =>
    (["maintenance", "token", "permit"] as const)
      .filter((file) => after[site].state[file] !== "")
      .map((file) => `${file} at ${site} (${after[site].state[file]})`),
  );
  const slots = after[goal].slots.filter((slot) => slot !== `standby_${other}`);
  return [
    ...claim(left.length === 0, `I8: left over: ${left.join(" ")}`),
    ...claim(slots.length === 0, `I8: slots at ${goal}: ${slots.join(" ")}`),
  ];
}

/**
 * I9, from the WAL: a timeline that begins without anything accepted begins right after a shutdown record. A failover whose
 * lost site was drained begins after that site's last valid record instead; there the account of I2 is the evidence.
 */
async function provenHandOver(
  lab: CellLab,
  { goal, before, after, lossAccepted }: Ending,
): Promise<string[]> {
  const { timeline } = after[goal];
  const drained = after[goal].state["record"]?.includes("kind=failover") === true;
  if (lossAccepted || drained || timeline <= before.a.timeline) return [];
  const last = await lastRecordBeforeFork(lab.sites[goal], timeline);
  return claim(
    last.includes("CHECKPOINT_SHUTDOWN"),
    `I9: timeline ${timeline} does not begin after a shutdown record but after: ${last}`,
  );
}

function claim(holds: boolean, text: string): string[] {
  return holds ? [] : [text];
}
