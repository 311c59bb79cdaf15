import type * as pulumi from "@pulumi/pulumi";
import { local } from "@pulumi/command";
import type { Desired } from "../plan/desired";
import { commandOf } from "../plan/render/command";
import type { Scripts } from "../plan/scripts";
import type { Step } from "../plan/step";
import { SITE_IDS } from "../plan/terms";
import { UNLOGGED } from "./unlogged";

const BOUND = 30;

/** Takes the guards away. It is no step of a plan: it changes who watches the pair, not which site serves. */
export function released(
  name: string,
  wish: Desired,
  scripts: Scripts,
  parent: pulumi.Resource,
): pulumi.Resource {
  const step: Step = {
    id: "release",
    phase: "settle",
    title: "remove the guards",
    why: "A pair that is taken down must leave nothing behind that acts by itself.",
    state: "todo",
    bound: SITE_IDS.length * BOUND + 10,
    needs: [],
    act: {
      kind: "run",
      parts: SITE_IDS.map((site) => ({
        ...{ site, verb: "site/release", bound: BOUND, input: {}, dial: true },
        optional: site !== wish.activeSite,
      })),
    },
    check: [],
    undo: "release: false, and the next transition installs the guards again",
  };
  const { create, stdin } = commandOf(step, wish, scripts, "act");
  return new local.Command(
    `${name}-release`,
    {
      create,
      stdin,
      environment: { RUN: "", DIGEST: "", FACTS: "", SECRET: "" },
      ...UNLOGGED,
    },
    { parent, ignoreChanges: ["*"], additionalSecretOutputs: ["stderr"] },
  );
}
