import { join } from "node:path";
import { planOf as toldIn, readPreview } from "../../cli/previewFile";
import { writeRunbook } from "../../cli/runbook";
import { otherSite, type SiteId } from "../../plan/terms";
import type { Tour } from "../../lab/tour";
import { refusalOf } from "../../lab/flip";
import { runFiles } from "../engine/byHand";
import { killedAt, unlocked, type Victim } from "../engine/killing";
import { changes, planOf, still, world } from "../engine/pair";

/** The whole program under an engine: killed, robbed of its state, given an older one. Each cell flips to the other site. */

export interface EngineScene {
  readonly tour: Tour;
  /** The site that serves, and the one that shall. */
  readonly at: SiteId;
  readonly to: SiteId;
  /** One more word of the story. */
  readonly tell: (what: string) => void;
  /** Something is not as it must be. */
  readonly wrong: (what: string) => void;
}

/** A fault of engine, program or state. */
export interface EngineCell {
  readonly id: string;
  /** Config names `to` already. Gives the site that shall serve in the end. */
  readonly strike: (scene: EngineScene) => Promise<SiteId>;
}

async function kill(scene: EngineScene, step: string, victim: Victim): Promise<void> {
  if (!(await killedAt(scene.tour, step, victim))) scene.wrong(`not killed at ${step}`);
  if (unlocked(scene.tour) !== 0) scene.wrong("standby unlock does not free the stack");
  scene.tell(`${victim} killed at ${step}`);
}

const killed = (row: string, step: string, victim: Victim): EngineCell => ({
  id: `engine/${row}/${victim}-killed`,
  strike: async (scene) => {
    await kill(scene, step, victim);
    return scene.to;
  },
});

const setBack: EngineCell = {
  id: "engine/verify/engine-killed-and-set-back",
  strike: async (scene) => {
    await kill(scene, "verify", "engine");
    await scene.tour.engine.setConfig("activeSite", scene.at);
    return scene.at;
  },
};

const refreshed: EngineCell = {
  id: "engine/serve/refresh-after-a-kill",
  strike: async (scene) => {
    await kill(scene, "serve", "engine");
    const { exitCode, stdout } = await scene.tour.engine.refresh();
    if (exitCode !== 0) scene.wrong(`refresh ended with ${exitCode}: ${stdout.slice(-300)}`);
    scene.tell("refreshed");
    return scene.to;
  },
};

const previewed: EngineCell = {
  id: "engine/promote/preview-after-a-kill",
  strike: async (scene) => {
    const { tour } = scene;
    await kill(scene, "promote", "program");
    await still(tour);
    const before = await world(tour);
    const result = await tour.engine.preview();
    const after = await world(tour);
    for (const [what, text] of Object.entries(before)) {
      if (after[what] !== text && !what.startsWith("control"))
        scene.wrong(`preview changed ${what}`);
    }
    if (result.exitCode !== 0) scene.wrong(`preview ended with ${result.exitCode}`);
    else scene.tell(`previewed ${planOf(result).transition} ${planOf(result).epoch}`);
    return scene.to;
  },
};

/** Refused with the word that adopts; adopted at rest; then the flip is an ordinary one. */
const stateLost: EngineCell = {
  id: "engine/rest/state-lost",
  strike: async ({ tour, at, to, tell, wrong }) => {
    await tour.engine.importStack({ version: 3, deployment: {} });
    const writes = tour.dnsWrites(0);
    const refused = await tour.update({ activeSite: at });
    if (refused.exitCode === 0) wrong("not refused although the state is lost");
    if (!refused.stdout.includes("adopt: true")) wrong("adopt: true is not named");
    if (tour.dnsWrites(0) !== writes) wrong("I6: refused, but the zone was written");
    const adopted = await tour.update({ adopt: "true" });
    if (adopted.exitCode !== 0) wrong(`not adopted: ${refusalOf(adopted)}`);
    if (tour.dnsWrites(0) !== writes) wrong("adopting wrote the zone");
    await tour.engine.removeConfig("adopt");
    await tour.engine.setConfig("activeSite", to);
    tell("state lost, adopted");
    return to;
  },
};

/** The state knows nothing of the last flip: it is not repeated, and what serves goes on. */
const stateOld: EngineCell = {
  id: "engine/rest/state-restored-from-an-older-export",
  strike: async ({ tour, to, tell, wrong }) => {
    const old = await tour.engine.exportStack();
    const flip = await tour.update({});
    if (flip.exitCode !== 0) wrong(`the flip failed: ${refusalOf(flip)}`);
    await tour.engine.importStack(old);
    const next = await tour.update({});
    if (next.exitCode !== 0) wrong(`with the older state: ${refusalOf(next)}`);
    else if (planOf(next).transition !== "none") wrong(`${planOf(next).transition} was planned`);
    tell(`older state, ${changes(next)} resources brought up to date`);
    return to;
  },
};

/** Neither an update nor adopt may act now; the runbook of a preview can, and then adopt does. */
const stateLostMidway: EngineCell = {
  id: "engine/promote/state-lost-after-a-kill",
  strike: async (scene) => {
    const { tour, to, tell, wrong } = scene;
    await kill(scene, "promote", "engine");
    await tour.engine.importStack({ version: 3, deployment: {} });
    const writes = tour.dnsWrites(0);
    const refused = await tour.update({ adopt: "true" });
    const hint = refusalOf(refused);
    if (refused.exitCode === 0 || !hint.includes("standby runbook")) wrong(`no way out: ${hint}`);
    if (tour.dnsWrites(0) !== writes) wrong("I6: refused, but the zone was written");
    await tour.engine.removeConfig("adopt");
    const { digest } = await tour.engine.preview();
    const file = readPreview(JSON.stringify(digest));
    const folder = join(tour.lab.dir, "runbook");
    const talk = { say: () => undefined, complain: () => undefined };
    writeRunbook(file, toldIn(file, undefined), folder, talk);
    for (const { name, code, text } of await runFiles(tour, folder)) {
      if (code !== 0) wrong(`${name} ended with ${String(code)}: ${text.slice(-300)}`);
    }
    const adopted = await tour.update({ adopt: "true" });
    if (adopted.exitCode !== 0) wrong(`not adopted: ${refusalOf(adopted)}`);
    await tour.engine.removeConfig("adopt");
    tell("state lost, ended by its runbook, adopted");
    return to;
  },
};

/** In an order that changes sides each time; the last ones are those that touch the state. */
export const ENGINE_CELLS: readonly EngineCell[] = [
  killed("witness", "witness", "engine"),
  killed("fence", "fence", "engine"),
  killed("promote", "promote", "engine"),
  killed("announce", "pivot-shop.test", "engine"),
  killed("rejoin", "rejoin", "program"),
  setBack,
  refreshed,
  previewed,
  stateOld,
  stateLost,
  stateLostMidway,
];

export const serving = (sites: readonly SiteId[]): { at: SiteId; to: SiteId } | undefined => {
  const [at] = sites;
  return at === undefined || sites.length > 1 ? undefined : { at, to: otherSite(at) };
};
