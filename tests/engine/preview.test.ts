// A preview tells what the update will do, to the byte, and changes nothing anywhere.
import type { PreviewDigest, RunResult } from "../../lab/engine/engine";
import { refusalOf } from "../../lab/flip";
import { Tour } from "../../lab/tour";
import type { Observed } from "../../plan/observed";
import { plan, type Plan } from "../../plan/plan";
import { commandOf } from "../../plan/render/command";
import type { Desired } from "../../plan/desired";
import { observePivots, observeWitness } from "../../sites/nameServers";
import { observeSites } from "../../sites/observe";
import { loadScripts } from "../../sites/scripts";
import { endedAt, planOf, still, up, wishOn, world, type SiteId } from "./pair";

jest.setTimeout(240_000);
const scripts = loadScripts();
let tour: Tour;
beforeAll(async () => {
  tour = await Tour.open();
});
afterAll(() => tour.close());

type Preview = RunResult & { digest: PreviewDigest };

async function previewed(activeSite: SiteId): Promise<Preview> {
  await tour.engine.setConfig("activeSite", activeSite);
  await still(tour);
  const before = await world(tour);
  const result = await tour.engine.preview();
  expect(await world(tour)).toEqual(before);
  return result;
}

/** The plan that the program must have made, worked out here from what the sites say. */
async function expected(wish: Desired): Promise<Plan> {
  const [sites, witness, pivots] = await Promise.all([
    observeSites(wish, scripts),
    observeWitness(wish),
    observePivots(wish),
  ]);
  const seen: Observed = { sites, dns: { witness, pivots, writable: true } };
  return plan(wish, seen, scripts);
}

const textOf = ({ diagnostics }: RunResult): string =>
  diagnostics.map((one) => one.message).join("\n");

/** Verdict, checklist, DNS change, digest, epoch, need of a failover; every script as commandOf says; the runbook's plan. */
async function tellsTheTruth(result: Preview, wish: Desired): Promise<Plan> {
  expect(result.exitCode).toBe(0);
  const made = await expected(wish);
  const text = textOf(result);
  expect(planOf(result)).toMatchObject({ digest: made.digest, transition: made.transition });
  expect(text).toContain(`epoch ${made.epoch}`);
  expect(text).toContain(`acceptLoss ${made.epoch + 1}`);
  const steps = result.digest.steps ?? [];
  for (const step of made.steps) {
    const shown = steps.find((one) => one.urn.endsWith(`::shop-${step.id}`));
    if (step.state === "todo") expect(text).toContain(`**${step.id}** ${step.title}`);
    if (step.act.kind === "record") {
      if (step.state !== "todo") continue;
      expect(text).toContain(`${step.act.name} ${step.act.type}`);
      expect(String(shown?.newState?.inputs?.content)).toContain(step.act.content);
      continue;
    }
    const command = commandOf(step, wish, scripts, step.state === "todo" ? "act" : "check");
    expect(shown?.newState?.inputs).toMatchObject(command);
  }
  const runbook = steps.find((one) => one.urn.endsWith("::shop-runbook"));
  const carried = JSON.parse(String(runbook?.newState?.inputs?.plan)) as Plan;
  expect(carried.digest).toBe(made.digest);
  expect(carried.steps.map((step) => step.id)).toEqual(
    made.steps.filter((step) => step.state !== "skipped").map((step) => step.id),
  );
  return made;
}

test("initial", async () => {
  const made = await tellsTheTruth(await previewed("a"), wishOn(tour, "a"));
  expect(made).toMatchObject({ transition: "initial", epoch: 1 });
  await up(tour, { activeSite: "a" });
});

test("nothing to do: no step, and no change shown", async () => {
  const result = await previewed("a");
  expect(planOf(result)).toMatchObject({ transition: "none", epoch: 1 });
  expect(result.digest.changeSummary).toEqual({ same: 24 });
});

test("switchover", async () => {
  const made = await tellsTheTruth(await previewed("b"), wishOn(tour, "b"));
  expect(made).toMatchObject({ transition: "switchover", epoch: 2, from: "a", to: "b" });
});

test("resume: the flag set back before the other site was promoted", async () => {
  await endedAt(tour, "permit-consumed");
  const made = await tellsTheTruth(await previewed("a"), wishOn(tour, "a"));
  expect(made).toMatchObject({ transition: "resume", epoch: 3, to: "a" });
  await up(tour, { activeSite: "a" });
  await up(tour, { activeSite: "a" });
});

test("failover: refused in the words of the update, then shown when it is accepted", async () => {
  tour.lab.a.cut();
  await tour.lab.a.killAll();
  const refused = await previewed("b");
  expect(refused.exitCode).not.toBe(0);
  const updated = await tour.update({ activeSite: "b" });
  expect(refusalOf(refused)).toContain("pulumi config set acceptLoss 4");
  expect(refusalOf(refused).replace("preview failed", "")).toBe(
    refusalOf(updated).replace("update failed", ""),
  );
  await tour.engine.setConfig("acceptLoss", "4");
  await tour.engine.setConfig("acceptUnproven", "4");
  const wish = wishOn(tour, "b", { acceptLoss: 4, acceptUnproven: 4 });
  const made = await tellsTheTruth(await previewed("b"), wish);
  expect(made).toMatchObject({ transition: "failover", epoch: 4 });
  await up(tour, {});
});

test("rejoin: the lost site is back", async () => {
  tour.lab.a.mend();
  await tour.lab.a.boot();
  const wish = wishOn(tour, "b", { acceptLoss: 4, acceptUnproven: 4 });
  const made = await tellsTheTruth(await previewed("b"), wish);
  expect(made).toMatchObject({ transition: "rejoin", epoch: 4 });
  await up(tour, {});
});

describe("approvedPlan", () => {
  test("refuses any other plan and names both digests", async () => {
    const shown = planOf(await previewed("a"));
    await tour.engine.setConfig("approvedPlan", "5-000000000000");
    const before = await world(tour);
    const refused = await tour.update({ activeSite: "a" });
    expect(refused.exitCode).not.toBe(0);
    expect(refusalOf(refused)).toContain("5-000000000000");
    expect(refusalOf(refused)).toContain(shown.digest);
    // The engine records the wish of the component itself; nothing else has changed.
    expect({ ...(await world(tour)), stack: "" }).toEqual({ ...before, stack: "" });
    await tour.engine.setConfig("approvedPlan", shown.digest);
  });

  test("lets the rest of the approved one go on after it was ended in the middle", async () => {
    const ended = await endedAt(tour, "permit-consumed");
    expect(ended.exitCode).not.toBe(0);
    const rest = await up(tour, {});
    expect(planOf(rest).digest).toBe(planOf(ended).digest);
    expect(await tour.visit()).toBe("a");
    await tour.engine.removeConfig("approvedPlan");
  });
});
