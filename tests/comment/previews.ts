import { dnsTold, type DnsSurvey } from "../../plan/dns/intent";
import { declaredRecords, dnsShape, type DeclaredRecord } from "../../plan/dns/records";
import type { Desired } from "../../plan/desired";
import type { Observed } from "../../plan/observed";
import { plan, type Plan } from "../../plan/plan";
import type { Step } from "../../plan/step";
import type { SiteId } from "../../plan/terms";
import { input, parsed, scripts, type Flags } from "../plan/wish";
import { observe, type World } from "../plan/world";

/** Previews as the CLI prints them (shapes as recorded in tests/fixtures/engine), for plans made by the real planner. */

/** What to preview. */
export interface Scene {
  readonly world: World;
  readonly flags: Flags;
  readonly zones?: readonly { readonly zone: string; readonly hostnames: readonly string[] }[];
  readonly dns?: Readonly<Record<string, unknown>>;
  readonly observe?: "none";
  /** A site whose guard does not run. */
  readonly unguarded?: SiteId;
  readonly survey?: Partial<DnsSurvey>;
  /** Names that the state does not hold yet. */
  readonly fresh?: readonly string[];
  /** Live records that adoption takes in. */
  readonly adopted?: readonly string[];
}

export interface Inputs {
  name: string;
  type: string;
  content: string;
  ttl: number;
  proxied: boolean;
  zoneId: string;
  [more: string]: unknown;
}

export interface State {
  type: string;
  urn: string;
  id?: string;
  importID?: string;
  inputs: Inputs;
}

export interface PreviewStep {
  op: string;
  urn: string;
  oldState?: State;
  newState?: State;
}

export interface Preview {
  steps: PreviewStep[];
  diagnostics: { severity: string; message: string; urn?: string }[];
  changeSummary: Record<string, number>;
}

export const RECORD = "cloudflare:index/dnsRecord:DnsRecord";
const PARENT = "urn:pulumi:dev::web::standby:index:StandbyPair";
export const urnOf = (name: string) => `${PARENT}$${RECORD}::shop-${name}`;
export const zoneIdOf = (zone: string) =>
  Buffer.from(zone.padEnd(16, "0")).toString("hex").slice(0, 32);
export const idOf = (name: string) =>
  Buffer.from(name.padEnd(16, "1")).toString("hex").slice(0, 32);

function wishOf({ flags, zones, dns, observe: look }: Scene): Desired {
  const base = input();
  return parsed({
    ...base,
    ...flags,
    ...(look === undefined ? {} : { observe: look }),
    dns: { ...base.dns, ...(zones === undefined ? {} : { zones }), ...dns },
  });
}

function observed({ world, observe: look, unguarded }: Scene, wish: Desired): Observed {
  const seen = observe(world);
  const without = (site: SiteId) => {
    const here = seen.sites[site];
    return here.reach === "up" && site === unguarded ? { ...here, guardRunning: false } : here;
  };
  const away = { reach: "unknown", why: "not observed" } as const;
  const [pivot] = seen.dns.pivots;
  return {
    sites: look === "none" ? { a: away, b: away } : { a: without("a"), b: without("b") },
    dns: { ...seen.dns, pivots: wish.dns.zones.map(() => pivot ?? { status: "absent" }) },
  };
}

function state(inputs: Inputs, more: Partial<State> = {}): State {
  return { type: RECORD, urn: urnOf(inputs.name), ...more, inputs };
}

function signedText(content: string): string {
  return `"${content} key=0123abcd sig=${"A".repeat(86)}=="`;
}

/** The steps of a record that the plan itself writes. */
function written(step: Step, seen: Observed, record: DeclaredRecord): PreviewStep[] {
  if (step.act.kind !== "record" || step.state !== "todo") return [];
  const { live, content, type } = step.act;
  const of = (text: string): Inputs => ({
    ...{ name: record.name, type, ttl: record.ttl, proxied: false },
    ...{ content: type === "TXT" ? signedText(text) : text, zoneId: zoneIdOf(record.zone) },
  });
  const urn = urnOf(record.name);
  const { witness } = seen.dns;
  const isNew = type === "TXT" ? witness.status === "absent" : live === "no record";
  if (isNew) return [{ op: "create", urn, newState: state(of(content)) }];
  return [
    {
      ...{ op: "update", urn },
      oldState: state(of(live), { id: idOf(record.name) }),
      newState: state(of(content)),
    },
  ];
}

/** Records beside the plan's own: made or taken in where the state does not hold them. */
function others(scene: Scene, wish: Desired, made: Plan): PreviewStep[] {
  const all = made.transition === "initial";
  return declaredRecords(dnsShape(wish)).flatMap((record): PreviewStep[] => {
    if (record.role === "pivot" || record.role === "witness") return [];
    const adopted = scene.adopted?.includes(record.name) === true;
    if (!adopted && !all && scene.fresh?.includes(record.name) !== true) return [];
    const { name, type, ttl, proxied, zone, contents } = record;
    const inputs = {
      name,
      type,
      ttl,
      proxied,
      content: contents?.[0] ?? "",
      zoneId: zoneIdOf(zone),
    };
    const urn = urnOf(name);
    if (!adopted) return [{ op: "create", urn, newState: state(inputs) }];
    return [
      {
        op: "import",
        urn,
        newState: state(inputs, { importID: `${zoneIdOf(zone)}/${idOf(name)}` }),
      },
    ];
  });
}

function surveyOf(scene: Scene, wish: Desired): DnsSurvey {
  const records = declaredRecords(dnsShape(wish));
  const pivots = records.filter((one) => one.role === "pivot");
  const missing = records
    .filter((one) => scene.fresh?.includes(one.name))
    .map(({ zone, name, type }) => ({
      ...({ code: "missing", zone, name, stops: false } as const),
      ...{ what: `${name} ${type} is declared and not in the zone`, hint: "pulumi up" },
    }));
  return {
    calls: wish.dns.zones.length,
    records: records.length,
    quota: 1187,
    findings: missing,
    pivotIds: Object.fromEntries(pivots.map(({ zone, name }) => [zone, idOf(name)])),
    ...scene.survey,
  };
}

/** The whole preview of a scene. Throws when the planner refuses it. */
export function previewOf(scene: Scene): Preview {
  const wish = wishOf(scene);
  const seen = observed(scene, wish);
  const made = plan(wish, seen, scripts);
  if (made.refusals.length > 0) throw new Error(made.refusals.map((one) => one.what).join("; "));
  const records = declaredRecords(dnsShape(wish));
  const imports = records
    .filter((one) => scene.adopted?.includes(one.name))
    .map(({ zone, name, type }) => `${zoneIdOf(zone)}/${idOf(name)} ${name} ${type}`);
  const steps = [
    ...made.steps.flatMap((step) => {
      const { act } = step;
      if (act.kind !== "record") return [];
      const record = records.find((one) => one.name === act.name);
      return record === undefined ? [] : written(step, seen, record);
    }),
    ...others(scene, wish, made),
  ];
  return {
    steps: [...steps, ...runbook(made)],
    diagnostics: [told(made, wish, seen, surveyOf(scene, wish), imports)],
    changeSummary: {},
  };
}

function told(
  made: Plan,
  wish: Desired,
  seen: Observed,
  survey: DnsSurvey,
  imports: readonly string[],
): Preview["diagnostics"][number] {
  const states = Object.fromEntries(made.steps.map((step) => [step.id, step.state]));
  const { transition, epoch, from, to, digest, warnings, unguarded } = made;
  const dns = dnsTold(wish, seen, made, survey, imports);
  const line = {
    pair: wish.name,
    transition,
    epoch,
    from,
    to,
    digest,
    states,
    warnings,
    unguarded,
    dns,
    seen,
    ...{ run: "1-test", needs: {} },
  };
  return {
    severity: "info",
    message: `standby-plan ${JSON.stringify(line)}`,
    urn: `${PARENT}::shop`,
  };
}

function runbook(made: Plan): PreviewStep[] {
  if (!made.steps.some((step) => step.state === "todo")) return [];
  const steps = made.steps
    .filter((step) => step.state !== "skipped")
    .map(({ id, title, bound }) => ({ id, title, bound }));
  const type = "standby:index:Runbook";
  const urn = `${PARENT}$${type}::shop-runbook`;
  const inputs = { plan: JSON.stringify({ digest: made.digest, steps }) };
  return [{ op: "update", urn, newState: { type, urn, inputs: inputs as unknown as Inputs } }];
}
