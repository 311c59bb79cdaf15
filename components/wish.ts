import { parseDesired, type Desired, type Issue } from "../plan/desired";
import { SITE_IDS, type SiteId } from "../plan/terms";
import { publicKeyOf, type WitnessPublicKey } from "../sites/witness";
import { given, list, without, type Given, type Plain } from "./given";
import { Refusal } from "./refusal";
import type { Resolved } from "./resolved";

/** A wish, and what it never holds: the private key. */
export interface Wished {
  readonly wish: Desired;
  readonly key: string;
}

/** The component's arguments as the plan's wish. Throws one Refusal with every issue in it. */
export function wishOf(name: string, args: unknown, resolved: Resolved): Wished {
  const all = given(args);
  const key = keyOf(resolved.witnessKey);
  const parsed = parseDesired(inputOf(name, all, resolved, "issue" in key ? undefined : key));
  const issues = [
    ...("issues" in parsed ? parsed.issues.map((issue) => asWritten(issue, all)) : []),
    ...("issue" in key ? [key.issue] : []),
    ...outside(all, resolved),
  ];
  if ("wish" in parsed && issues.length === 0 && "pem" in key) {
    return { wish: parsed.wish, key: key.pem };
  }
  throw new Refusal(issueText(name, issues));
}

// Any valid public key: it stands in for one that is missing, so that nothing else is reported because of it.
const NO_KEY: WitnessPublicKey = { id: "none", raw: `${"A".repeat(43)}=` };

function inputOf(
  name: string,
  args: Given,
  { servers }: Resolved,
  key: { readonly half: WitnessPublicKey } | undefined,
): Given {
  const dns = given(given(args.dns).cloudflare);
  const known = ["witnessKey", "database", "protect", "adopt", "sites", "dns", "witnessKeys"];
  return {
    ...without(args, known),
    name,
    sites:
      args.sites === undefined
        ? undefined
        : {
            ...given(args.sites),
            ...Object.fromEntries(SITE_IDS.map((site) => [site, siteOf(site, name, args)])),
          },
    dns:
      given(args.dns).cloudflare === undefined
        ? undefined
        : {
            ...without(dns, ["provider"]),
            zones: Array.isArray(dns.zones) ? list(dns.zones).map(zoneOf) : dns.zones,
            servers,
          },
    witnessKeys: Array.isArray(args.witnessKeys ?? [])
      ? [key?.half ?? NO_KEY, ...list(args.witnessKeys)]
      : args.witnessKeys,
  };
}

const zoneOf = (zone: unknown): unknown =>
  typeof zone === "object" ? without(given(zone), ["zoneId"]) : zone;

function siteOf(site: SiteId, name: string, args: Given): unknown {
  const here = given(args.sites)[site];
  if (typeof here !== "object" || here === null) return here;
  const { transport, postgres, stateDirectory, ...rest } = given(here);
  const { enter, enterLine } = given(transport);
  const { v4 } = given(rest.addresses);
  return {
    ...rest,
    stateDirectory: stateDirectory ?? `/var/lib/standby/${/^[a-z0-9-]+$/.test(name) ? name : "-"}`,
    database: {
      host: typeof v4 === "string" ? v4 : "-",
      ...given(given(args.database).postgres),
      ...given(postgres),
    },
    // A missing transport is reported by itself.
    enter: typeof enter === "function" ? String((enter as (site: SiteId) => string)(site)) : "-",
    enterLine: typeof enterLine === "string" && enterLine !== "" ? enterLine : "sh",
  };
}

type Key = { readonly pem: string; readonly half: WitnessPublicKey } | { readonly issue: Issue };

const MAKE_KEY =
  "openssl genpkey -algorithm ed25519 | pulumi config set --secret witnessKey makes one";

/** Danger: the key itself is never printed, whatever is wrong with it. */
function keyOf(witnessKey: Plain): Key {
  const issue = (message: string): Key => ({ issue: { path: "witnessKey", message } });
  if (!witnessKey.known) {
    return issue("not known in this preview; take it from secret config, not from a resource");
  }
  const pem = witnessKey.value;
  if (pem === undefined || pem === "") return issue(`missing: ${MAKE_KEY}`);
  if (typeof pem !== "string") return issue(`[secret]: a PEM text is needed; ${MAKE_KEY}`);
  try {
    return { pem, half: publicKeyOf(pem) };
  } catch {
    return issue(`[secret]: not a private Ed25519 key in PKCS #8 PEM form; ${MAKE_KEY}`);
  }
}

/** What the plan's schema does not see: keys of the outer objects, transports, zone ids. */
function outside(args: Given, { zoneIds }: Resolved): readonly Issue[] {
  const database = given(args.database);
  return [
    // With sites the schema names it under each of them.
    ...(database.postgres === undefined && args.sites === undefined
      ? [
          {
            path: "database.postgres.dataDirectory",
            message: "missing: a value of type string is needed",
          },
        ]
      : []),
    ...reserved("", args, ["name"]),
    ...SITE_IDS.flatMap((site) =>
      reserved(`sites.${site}.`, given(given(args.sites)[site]), [
        "database",
        "enter",
        "enterLine",
      ]),
    ),
    ...unknownKeys("database", database, ["postgres"]),
    ...unknownKeys("dns", given(args.dns), ["cloudflare"]),
    ...SITE_IDS.flatMap((site) => transportIssues(site, given(args.sites)[site])),
    ...zoneIds.flatMap(zoneIdIssues),
    ...(args.protect === undefined || typeof args.protect === "boolean"
      ? []
      : [{ path: "protect", message: `${JSON.stringify(args.protect)}: true or false is needed` }]),
  ];
}

function unknownKeys(path: string, value: Given, known: readonly string[]): readonly Issue[] {
  return Object.keys(without(value, known)).map((key) => ({
    path: `${path}.${key}`,
    message: `unknown key; ${known.join(", ")} is known`,
  }));
}

/** Keys of the plan's own wish that no argument has: they would be written over, and so never named. */
function reserved(prefix: string, value: Given, keys: readonly string[]): readonly Issue[] {
  return keys
    .filter((key) => key in value)
    .map((key) => ({ path: `${prefix}${key}`, message: "unknown key; remove it" }));
}

function transportIssues(site: SiteId, here: unknown): readonly Issue[] {
  if (typeof here !== "object" || here === null) return [];
  const path = `sites.${site}.transport`;
  const transport = given(given(here).transport);
  if (typeof transport.enter !== "function") {
    return [{ path, message: "missing: ssh({ host, user, hostKeys }) or local() makes one" }];
  }
  return list(transport.issues).flatMap((one) => {
    const { path: inner, message } = given(one);
    return [{ path: `${path}.${String(inner)}`, message: String(message) }];
  });
}

function zoneIdIssues(zoneId: Plain, index: number): readonly Issue[] {
  if (!zoneId.known) return [];
  const path = `dns.cloudflare.zones.${index}.zoneId`;
  const { value } = zoneId;
  if (value === undefined) return [{ path, message: "missing: the zone's overview page shows it" }];
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value)
    ? []
    : [{ path, message: `${JSON.stringify(value)}: the 32 hex digits of the zone are needed` }];
}

/** Every issue on its own line, as `path: value: what to do`. */
export function issueText(name: string, issues: readonly Issue[]): string {
  const lines = [...new Set(issues.map((issue) => `  ${issue.path}: ${issue.message}`))];
  return [
    `standby pair ${name}: ${lines.length} ${lines.length === 1 ? "value does" : "values do"} not fit; nothing was changed`,
    ...lines,
    "HINT: correct the program or its config (pulumi config set KEY VALUE), then run pulumi up again.",
  ].join("\n");
}

/** The issue under the path that the user wrote. What both sites share is one issue, not two. */
function asWritten(issue: Issue, args: Given): Issue {
  const [head, site, part, ...rest] = issue.path.split(".");
  if (head === "sites" && part === "database") {
    const own = given(given(given(args.sites)[site ?? ""]).postgres);
    const path =
      rest[0] !== undefined && rest[0] in own ? `sites.${site}.postgres` : "database.postgres";
    return { ...issue, path: [path, ...rest].join(".") };
  }
  if (head === "dns") return { ...issue, path: issue.path.replace(/^dns/, "dns.cloudflare") };
  // The first of the plan's keys is the public half of witnessKey.
  if (head === "witnessKeys" && site !== undefined) {
    return { ...issue, path: ["witnessKeys", Number(site) - 1, part].join(".") };
  }
  return issue;
}
