// The stack's state and the live pair: lost, torn, adopted, released, destroyed. The sites are never touched by it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../../lab/engine/engine";
import { Tour } from "../../lab/tour";
import { changes, planOf, up, world } from "./pair";

jest.setTimeout(240_000);
let tour: Tour;
beforeAll(async () => {
  tour = await Tour.open();
  await tour.engine.setConfig("protect", "true");
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

/** The application writes on meanwhile: of the control files only what no checkpoint of its own moves. */
async function sitesAndZone() {
  const { stack: _stack, ...rest } = await world(tour);
  return Object.fromEntries(
    Object.entries(rest).map(([what, text]) => [
      what,
      what.startsWith("control file") ? lasting(text) : text,
    ]),
  );
}

function lasting(control: string): readonly unknown[] {
  const kept =
    /^(Database system identifier|Database cluster state|Latest checkpoint's TimeLineID)$/;
  const fields = (JSON.parse(control) as [string, string][]).filter(([name]) => kept.test(name));
  expect(fields).toHaveLength(3);
  return fields;
}

/** The running guard says who it is in its heartbeat. */
function guardOf(stateDirectory: string): number {
  return Number(readFileSync(join(stateDirectory, "guard.live"), "utf8").split(" ")[0]);
}

async function gone(pid: number): Promise<void> {
  for (let tries = 0; tries < 500 && existsSync(`/proc/${pid}/exe`); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(existsSync(`/proc/${pid}/exe`)).toBe(false);
}

async function without(...names: readonly string[]): Promise<Checkpoint> {
  const state = await tour.engine.exportStack();
  const kept = state.deployment.resources?.filter(
    (one) => !names.some((name) => one.urn.endsWith(`::${name}`)),
  );
  // What hung on the removed ones would no longer fit.
  const resources = kept?.map((one) => ({
    ...one,
    dependencies: (one.dependencies ?? []).filter(
      (urn) => !names.some((name) => urn.endsWith(`::${name}`)),
    ),
  }));
  return { ...state, deployment: { ...state.deployment, ...(resources && { resources }) } };
}

test("a step that the state does not have is created without acting, as after an upgrade", async () => {
  const before = await sitesAndZone();
  await tour.engine.importStack(await without("shop-fence"));
  const result = await up(tour, {});
  expect(result.summary).toMatchObject({ create: 1 });
  expect(changes(result)).toBe(1);
  expect(await sitesAndZone()).toEqual(before);
});

test("state lost: the update fails before any record or step, names the records, and names adopt", async () => {
  const before = await sitesAndZone();
  await tour.engine.importStack({ version: 3, deployment: {} });
  const result = await tour.update({});
  expect(result.exitCode).not.toBe(0);
  expect(result.stdout).toContain("active.shop.test");
  expect(result.stdout).toContain("adopt: true");
  expect(await sitesAndZone()).toEqual(before);
});

test("adopt is refused while a transition is due", async () => {
  const before = await sitesAndZone();
  const result = await tour.update({ adopt: "true", activeSite: "b" });
  expect(result.exitCode).not.toBe(0);
  expect(result.stdout).toContain("adopt: true is for a pair at rest");
  expect(await sitesAndZone()).toEqual(before);
});

test("state lost, adopted: every record is imported, nothing acts, and later flips are ordinary", async () => {
  await tour.engine.importStack({ version: 3, deployment: {} });
  const before = await sitesAndZone();
  const result = await up(tour, { adopt: "true", activeSite: "a" });
  expect(planOf(result).transition).toBe("none");
  expect(result.summary.import).toBe(6);
  expect(await sitesAndZone()).toEqual(before);
  await tour.engine.removeConfig("adopt");
  expect(changes(await up(tour, {}))).toBe(0);
  await up(tour, { activeSite: "b" });
  expect(await tour.visit()).toBe("b");
});

test("destroy is refused while the pair is protected", async () => {
  const before = await sitesAndZone();
  const result = await tour.engine.destroy();
  expect(result.exitCode).not.toBe(0);
  expect(result.stdout).toContain("protect");
  const records = tour.lab.cloudflare.records(tour.lab.zone);
  expect(records.map((one) => one.name)).toContain("active.shop.test");
  expect(await sitesAndZone()).toEqual(before);
});

test("released, then destroyed: guards, records and state go; databases, slots and data stay", async () => {
  const { lab } = tour;
  const guards = [lab.a, lab.b].map((site) => guardOf(site.cluster.stateDirectory));
  await up(tour, { release: "true" });
  for (const pid of guards) await gone(pid);
  for (const site of [lab.a, lab.b]) {
    expect(existsSync(join(site.cluster.stateDirectory, "guard"))).toBe(false);
  }
  const rows = () => lab.b.cluster.query("select count(*)::int as n from ledger");
  const slots = () => lab.b.cluster.query("select slot_name from pg_replication_slots");
  const kept = [await rows(), await slots()];
  expect((await tour.engine.destroy()).exitCode).toBe(0);
  expect(lab.cloudflare.records(lab.zone)).toEqual([]);
  expect((await tour.engine.exportStack()).deployment.resources ?? []).toEqual([]);
  expect([await rows(), await slots()]).toEqual(kept);
  const standby = await lab.a.cluster.query("select pg_is_in_recovery() as standby");
  expect(standby).toEqual([{ standby: true }]);
});
