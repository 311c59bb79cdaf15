import { parseDesired, type Desired } from "../../plan/desired";
import type { Scripts } from "../../plan/scripts";
import type { SiteId } from "../../plan/terms";

/** The wish of the tests: two sites that differ in nothing but their letter. */

export function site(id: SiteId) {
  return {
    provider: `provider-${id}`,
    region: `region-${id}`,
    addresses: { v4: id === "a" ? "127.0.0.2" : "127.0.0.3" },
    stateDirectory: `/var/lib/standby/${id}/shop`,
    database: { dataDirectory: `/data/${id}`, host: `db-${id}` },
    enter: 'sh -c "$1"',
    enterLine: `ssh ${id}`,
  };
}

/** Input as a program would hand it over, before it is parsed. */
export function input() {
  return {
    name: "shop",
    activeSite: "a",
    sites: { a: site("a"), b: site("b") },
    services: [
      { name: "web-1", kind: "web", start: "start web", stop: "stop web", healthy: "ask web" },
      { name: "jobs", kind: "worker", start: "start job", stop: "stop job", healthy: "ask job" },
    ],
    dns: {
      zones: [{ zone: "example.com", hostnames: ["www.example.com"] }],
      servers: ["127.0.0.1#53"],
    },
    witnessKeys: [{ id: "0123abcd", raw: `${"A".repeat(43)}=` }],
  };
}

/** What config can say between two updates. */
export interface Flags {
  readonly activeSite: SiteId;
  readonly acceptLoss?: number;
  readonly acceptUnproven?: number;
  readonly discardDelta?: number;
}

const known = new Map<string, Desired>();

export function wish(flags: Flags): Desired {
  const key = JSON.stringify(flags);
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = parsed({ ...input(), ...flags });
  known.set(key, made);
  return made;
}

export function parsed(raw: unknown): Desired {
  const result = parseDesired(raw);
  if ("issues" in result) throw new Error(JSON.stringify(result.issues));
  return result.wish;
}

const VERBS = [
  "postgres/check",
  "postgres/fence",
  "postgres/fenced",
  "postgres/observe",
  "postgres/preflight",
  "postgres/prepare",
  "postgres/promote",
  "postgres/delta",
  "postgres/extent",
  "postgres/rejoin",
  "postgres/remake",
  "postgres/repoint",
  "postgres/revoke",
  "postgres/seed",
  "postgres/settle",
  "postgres/verify",
  "site/owned",
  "site/admit",
  "site/asking",
  "site/entry",
  "site/units",
  "site/fencing",
  "site/guard",
  "site/install",
  "site/maintenance",
  "site/outside",
  "site/query",
  "site/services",
  "site/watch",
  "site/witness",
];

/** Scripts of one line each: the plan never looks into them. */
export const scripts: Scripts = {
  lib: "# lib",
  runner: "# runner",
  ...Object.fromEntries(VERBS.map((verb) => [verb, `main() { echo ${verb}; }`])),
};
