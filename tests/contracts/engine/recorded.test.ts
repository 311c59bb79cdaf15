/**
 * The letter of the contract: seventeen scenarios recorded on the real engine, one after the other
 * on one stack. Whoever claims to be an engine does the same: the same steps in the preview, the
 * same resources in the state, the same calls to the API, the same exit codes.
 */
import type { Engine } from "../../../lab/engine/engine";
import { checkOrder } from "../../../lab/engine/snapshot";
import { comparableState, comparableSteps, scenarios } from "./recorded";
import { Api, Bench, FIXTURES, bench, describeOn, startApi } from "./workbench";

const KEYS = ["activeSite", "run", "mode", "fail", "protect"];
jest.setTimeout(60_000);

for (const kind of ["lab", "pulumi"] as const) {
  describeOn(kind, "the recorded scenarios", () => replay(kind));
}

function replay(kind: "lab" | "pulumi"): void {
  let api: Api;
  let place: Bench;
  let engine: Engine;

  beforeAll(async () => {
    api = await startApi();
    place = bench({ folder: FIXTURES });
    engine = await place.open({ FIXTURE_BASE_URL: api.baseUrl }, kind);
  });
  afterAll(async () => {
    place.remove();
    await api.close();
  });

  test.each(scenarios())("$name", async (scenario) => {
    for (const key of KEYS) await engine.removeConfig(key);
    for (const [key, value] of Object.entries(scenario.config)) await engine.setConfig(key, value);

    const preview = await engine.preview();
    expect(comparableSteps(preview.digest)).toEqual(comparableSteps(scenario.preview));
    expect(preview.digest.changeSummary).toEqual(scenario.preview.changeSummary);
    expect(preview.digest.config).toEqual(scenario.preview.config);
    expect(preview.exitCode).toBe(scenario.previewExit);
    expect(api.take()).toEqual([]);

    const up = await engine.up();
    expect(up.summary).toEqual(scenario.summary);
    expect(up.exitCode).toBe(scenario.upExit);
    expect([...api.take()].sort()).toEqual([...scenario.calls].sort());

    const state = await engine.exportStack();
    checkOrder(state.deployment.resources ?? []);
    expect(comparableState(state)).toEqual(comparableState(scenario.checkpoint));
    expect(state.deployment.pending_operations ?? []).toEqual([]);
  });
}
