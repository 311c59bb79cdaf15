import type { Phase } from "../../lab/hosts/pair";

/** When a host boots, which one, and what it can reach then. */
export interface Cell {
  /** How far a hand-over has come; `rest`: none has begun; `failover`: the other site was promoted while it was off. */
  readonly at: "rest" | "failover" | "upgrade" | Exclude<Phase, "rejoin">;
  /** The primary of before, or the other site. */
  readonly host: "from" | "to";
  /** `none`: neither its peer nor a name server. */
  readonly sees: "all" | "no peer" | "no dns" | "none";
  /** The network is up 8 s later than everything else. */
  readonly slow: boolean;
  /** Debian's unit was enabled once, besides start.conf. */
  readonly enabled: boolean;
}

const PLAIN = { sees: "all", slow: false, enabled: false } as const;
const HOSTS = ["from", "to"] as const;
const MOMENTS = ["rest", "witness", "drain", "fence", "verify", "promote"] as const;
const SIGHTS = ["all", "no peer", "no dns", "none"] as const;

/** 40 boots: each moment and host, with a quick and a slow network; each sight, with Debian's unit enabled or not. */
export const CELLS: readonly Cell[] = [
  ...MOMENTS.flatMap((at) =>
    HOSTS.flatMap((host) => [false, true].map((slow): Cell => ({ ...PLAIN, at, host, slow }))),
  ),
  ...SIGHTS.flatMap((sees) =>
    [false, true].map((enabled): Cell => ({
      ...PLAIN,
      at: "failover",
      host: "from",
      sees,
      enabled,
    })),
  ),
  ...SIGHTS.slice(1).flatMap((sees) =>
    [false, true].map((enabled): Cell => ({ ...PLAIN, at: "rest", host: "from", sees, enabled })),
  ),
  ...HOSTS.map((host): Cell => ({ ...PLAIN, at: "upgrade", host })),
];

export function nameOf({ at, host, sees, slow, enabled }: Cell): string {
  const more = [
    ...(sees === "all" ? [] : [`sees ${sees}`]),
    ...(slow ? ["slow network"] : []),
    ...(enabled ? ["unit enabled"] : []),
  ];
  return [`${host} boots`, at, ...more].join(", ");
}
