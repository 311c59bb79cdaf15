// Two runners that share no site, each with a copy of the same state, open the same epoch for different sites: one goes on.
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEngine, type Engine } from "../../lab/engine/engine";
import { refusalOf } from "../../lab/flip";
import type { LabStack } from "../../stacks/demo/lab";
import { packageRoot, Tour } from "../../lab/tour";
import { programOf } from "./killing";
import { endedAt, planOf, up, writableSites, type SiteId } from "./pair";

jest.setTimeout(600_000);
let tour: Tour;
beforeEach(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
  // A switchover that was killed when its witness was out and nothing had stopped yet: epoch 2 is open, a still writes.
  await tour.engine.setConfig("activeSite", "b");
  expect((await endedAt(tour, "maintenance-marked")).exitCode).not.toBe(0);
  expect(await writableSites(tour)).toEqual(["a"]);
});
afterEach(() => tour.close());

/** A runner that wants one site and does not reach the other, with a copy of the stack's state. */
async function runner(name: string, wants: SiteId): Promise<Engine> {
  const { lab } = tour;
  const away = join(lab.dir, "nowhere");
  writeFileSync(away, "#!/bin/sh\nexit 255\n", { mode: 0o755 });
  const stateDir = join(lab.dir, name);
  cpSync(join(lab.dir, "stack"), stateDir, { recursive: true });
  const engine = await openEngine({
    ...{ projectDir: join(packageRoot(), "stacks", "demo"), stack: "demo", stateDir },
    passphrase: "lab",
  });
  const told = JSON.parse((await engine.getConfig("lab")) ?? "{}") as LabStack;
  const other = wants === "a" ? "b" : "a";
  const sites = { ...told.sites, [other]: { ...told.sites[other], wrap: away } };
  await engine.setConfig("lab", JSON.stringify({ ...told, sites }));
  await engine.setConfig("activeSite", wants);
  await engine.setConfig("acceptLoss", "3");
  await engine.setConfig("acceptUnproven", "3");
  return engine;
}

test("x slept before its claim: y has the epoch and fails over; x wakes up, finds it taken, and starts nothing", async () => {
  const [x, y] = [await runner("x", "a"), await runner("y", "b")];
  tour.startClients({ delayMs: 5 });
  let asleep: number | undefined;
  const slept = new Promise<void>((resolve) => {
    void x
      .up({
        onEvent: (event) => {
          if (asleep !== undefined || event.kind !== "pre" || !event.urn.endsWith("::shop-claim"))
            return;
          asleep = programOf(process.pid);
          if (asleep !== undefined) process.kill(asleep, "SIGSTOP");
          resolve();
        },
      })
      .then((result) => (late = result));
  });
  let late: Awaited<ReturnType<Engine["up"]>> | undefined;
  await slept;
  const first = await y.up();
  expect(refusalOf(first)).toBe("");
  expect(planOf(first)).toMatchObject({ transition: "failover", epoch: 3, to: "b" });
  if (asleep !== undefined) process.kill(asleep, "SIGCONT");
  for (let tries = 0; late === undefined && tries < 1200; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(planOf(late as never)).toMatchObject({ transition: "resume", epoch: 3, to: "a" });
  expect(refusalOf(late as never)).toMatch(/epoch 3 is claimed by another runner/);
  await tour.stopClients();
  expect(tour.clients.sampler.twoWriterSamples).toBe(0);
  expect(await writableSites(tour)).toEqual(["b"]);
});

test("x sleeps between its claim and the witness: y finds the epoch taken; x goes on alone", async () => {
  const [x, y] = [await runner("x", "a"), await runner("y", "b")];
  const act = { kind: "delay", ms: 20_000 } as const;
  const pause = tour.lab.cloudflare.faults.add({ method: "PUT", body: "epoch=3", times: 1, act });
  tour.startClients({ delayMs: 5 });
  const first = x.up();
  for (let tries = 0; pause.hits === 0 && tries < 1200; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const second = await y.up();
  expect(refusalOf(second)).toMatch(/epoch 3 is claimed by another runner|speaks of epoch 3/);
  expect(refusalOf(await first)).toBe("");
  await tour.stopClients();
  expect(tour.clients.sampler.twoWriterSamples).toBe(0);
  expect(await writableSites(tour)).toEqual(["a"]);
});
