import { promises as dns } from "node:dns";
import { firstZone, pivotName, siteName, witnessName, type Desired } from "../plan/desired";
import type { PivotObserved, WitnessObserved } from "../plan/observed";
import { SITE_IDS, type EpochRecord } from "../plan/terms";
import { verifyWitness } from "./witness";

/** What the authoritative servers answer, asked one by one: an answer of one is not the answer of all. */

const TIMEOUT_MS = 1500;

/** Addresses of the zone's name servers as ADDRESS or ADDRESS#PORT; empty when they cannot be found. */
export async function authoritativeServers(zone: string): Promise<readonly string[]> {
  try {
    const names = await dns.resolveNs(zone);
    const found = await Promise.all(names.sort().map((name) => dns.resolve4(name)));
    return found.flat();
  } catch {
    return [];
  }
}

/** A resolver that asks one server alone: ADDRESS or ADDRESS#PORT. */
export function resolverAt(server: string): dns.Resolver {
  const resolver = new dns.Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  const [address = "", port] = server.split("#");
  const host = address.includes(":") ? `[${address}]` : address;
  resolver.setServers([port === undefined ? host : `${host}:${port}`]);
  return resolver;
}

type Answer<T> = { readonly value: T } | { readonly none: true } | { readonly silent: string };

async function ask<T>(query: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await query() };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return code === "ENOTFOUND" || code === "ENODATA" ? { none: true } : { silent: code };
  }
}

/** The witness: the newest validly signed record that any server answers; two of one epoch are doubt, and ignored. */
export async function observeWitness(wish: Desired): Promise<WitnessObserved> {
  const name = witnessName(wish);
  const answers = await Promise.all(
    wish.dns.servers.map((server) => ask(() => resolverAt(server).resolveTxt(name))),
  );
  const found = answers.flatMap((answer) => ("value" in answer ? answer.value : []));
  const judged = found.map((strings) =>
    strings.length === 1
      ? verifyWitness(strings[0] ?? "", wish.witnessKeys, firstZone(wish), name)
      : { problem: `${strings.length} strings instead of one` },
  );
  const valid = judged.flatMap((one) => ("problem" in one ? [] : [one]));
  const newest = valid.reduce<EpochRecord | undefined>(
    (best, one) => (best === undefined || one.epoch > best.epoch ? one : best),
    undefined,
  );
  if (newest !== undefined) {
    const { epoch, from, to, kind } = newest;
    const rival = valid.find((one) => one.epoch === epoch && (one.to !== to || one.kind !== kind));
    return rival === undefined
      ? { status: "valid", record: { epoch, from, to, kind } }
      : { status: "ignored", why: `two records of epoch ${epoch} differ` };
  }
  const problem = judged.find((one) => "problem" in one);
  if (problem !== undefined && "problem" in problem)
    return { status: "ignored", why: problem.problem };
  if (answers.some((answer) => "none" in answer)) return { status: "absent" };
  return { status: "unknown", why: silence(answers) };
}

function silence(answers: readonly Answer<unknown>[]): string {
  const codes = answers.flatMap((answer) => ("silent" in answer ? [answer.silent] : []));
  return codes.length === 0
    ? "no name server is known"
    : `no server answered (${[...new Set(codes)].join(", ")})`;
}

/** Where each zone's pivot points, zone by zone. */
export function observePivots(wish: Desired): Promise<readonly PivotObserved[]> {
  return Promise.all(wish.dns.zones.map(({ zone }) => observePivot(wish, zone)));
}

async function observePivot(wish: Desired, zone: string): Promise<PivotObserved> {
  const name = pivotName(zone);
  const answers = await Promise.all(
    wish.dns.servers.map((server) => ask(() => resolverAt(server).resolveCname(name))),
  );
  const targets = answers.flatMap((answer) => ("value" in answer ? answer.value : []));
  const target = targets[0];
  if (target !== undefined) return pointsTo(target.toLowerCase().replace(/\.$/, ""), zone);
  return answers.some((answer) => "none" in answer)
    ? observeFlattened(wish, name)
    : { status: "unknown", why: silence(answers) };
}

function pointsTo(content: string, zone: string): PivotObserved {
  const site = SITE_IDS.find((id) => siteName(id, zone) === content);
  return site === undefined ? { status: "other", content } : { status: "site", site };
}

/** A provider may answer an in-zone alias by its addresses. */
async function observeFlattened(wish: Desired, name: string): Promise<PivotObserved> {
  for (const server of wish.dns.servers) {
    const answer = await ask(() => resolverAt(server).resolve4(name));
    if (!("value" in answer)) continue;
    const site = SITE_IDS.find((id) => answer.value.includes(wish.sites[id].addresses.v4));
    return site === undefined
      ? { status: "other", content: answer.value.join(" ") }
      : { status: "site", site };
  }
  return { status: "absent" };
}
