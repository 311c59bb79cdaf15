import { factsOf } from "../newest";
import type { Context } from "../phases/context";
import { rejoinOutlook } from "../rejoinWay";
import type { Refusal, Step } from "../step";
import { SITE_IDS } from "../terms";

/** A returned site that must be rewound or copied before it takes over, and cannot be: known before anything is exported. */
export function unmovable(context: Context, steps: readonly Step[]): readonly Refusal[] {
  const { to, seen, left, wish } = context;
  const here = factsOf(seen.sites[to]);
  const joins = steps.some((step) => step.phase === "join" && step.state === "todo");
  if (!joins || here?.ground.mount !== true) return [];
  const { way } = rejoinOutlook(here, factsOf(left));
  if (way !== "rewind" && way !== "reseed") return [];
  return [
    {
      code: "unmovable",
      what: `site ${to} has diverged, and its data directory ${wish.sites[to].database.dataDirectory} is a mount point: it cannot be put aside while it is rewound or copied anew`,
      hint: "mount that file system one level higher, name a folder below it as dataDirectory of this site, then run pulumi up again.",
    },
  ];
}

/** What a promotion put aside and nothing has brought back yet. */
export function namesPutAside({ seen }: Context): readonly string[] {
  return SITE_IDS.flatMap((site) => {
    const names = factsOf(seen.sites[site])?.keptNames;
    if (names === undefined) return [];
    return [
      `site ${site}: synchronous_standby_names is empty since its promotion, it was ${JSON.stringify(names)}; the update that brings the other site back restores it where that site meets it; otherwise by hand: ALTER SYSTEM SET synchronous_standby_names = ...`,
    ];
  });
}
