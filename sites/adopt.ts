import { pivotName, siteName } from "../plan/desired";
import {
  adoptionPlan,
  ttlOf,
  type AdoptedName,
  type AdoptionPlan,
  type AdoptionWish,
} from "../plan/dns/adoption";
import { apiCall, ApiProblem, batch, listZone, type ApiAccess } from "./cloudflareApi";

/** Carries out an adoption, name by name, each followed by a look at the name servers; stops at the first that differs. */
export interface AdoptOptions {
  readonly access: ApiAccess;
  readonly zoneId: string;
  readonly wish: AdoptionWish;
  /** Asks one name's addresses at every vantage; sorted, one list a vantage. */
  readonly answers: (name: string) => Promise<readonly (readonly string[])[]>;
  readonly sleep: (seconds: number) => Promise<void>;
  readonly say: (line: string) => void;
  /** Seconds to wait for the name servers after a change. @default 60 */
  readonly settleSeconds?: number;
}

/** What is done already is not done again, so a run that was cut short is taken up. Throws when an answer changes. */
export async function adopt(options: AdoptOptions): Promise<AdoptionPlan> {
  const { access, zoneId, wish, say, sleep } = options;
  const look = async () => adoptionPlan(wish, (await listZone(access, wish.zone, zoneId)).records);
  const plan = await look();
  await machineRecords(options);
  for (const record of plan.lower) {
    await apiCall(access, "PATCH", `zones/${zoneId}/dns_records/${record.id}`, { ttl: wish.ttl });
  }
  if (plan.lower.length > 0) {
    say(
      `TTL of ${plan.lower.length} records lowered to ${wish.ttl} s; waiting ${plan.wait} s for the old one`,
    );
    await sleep(plan.wait);
  }
  for (const [n, name] of plan.names.entries()) {
    await alias(name, options);
    say(
      `${n === 0 ? "canary " : ""}${name.name} is an alias of ${pivotName(wish.zone)} and answers as before`,
    );
  }
  return look();
}

/** site-X of the serving site and the pivot must be there before a name points to them. */
async function machineRecords({ access, zoneId, wish }: AdoptOptions): Promise<void> {
  const { records } = await listZone(access, wish.zone, zoneId);
  const { zone, site, ttl } = wish;
  const at = siteName("a", zone);
  const declared = [
    { name: at, type: "A", content: site.v4 },
    ...(site.v6 === undefined ? [] : [{ name: at, type: "AAAA", content: site.v6 }]),
    { name: pivotName(zone), type: "CNAME", content: at },
  ];
  const missing = declared.filter(
    (one) => !records.some((live) => live.name === one.name && live.type === one.type),
  );
  if (missing.length === 0) return;
  await batch(access, zoneId, { posts: missing.map((one) => ({ ...one, ttl, proxied: false })) });
}

/** Danger: delete and create in ONE batch. By two calls the name is away in between, and its absence is remembered for the SOA minimum. */
async function alias(name: AdoptedName, options: AdoptOptions): Promise<void> {
  const { access, zoneId, wish, answers, sleep } = options;
  const before = await answers(name.name);
  const content = pivotName(wish.zone);
  const { proxied } = name;
  const post = { name: name.name, type: "CNAME", content, ttl: proxied ? 1 : wish.ttl, proxied };
  try {
    await batch(access, zoneId, {
      deletes: name.replaces.map(({ id }) => ({ id })),
      posts: [post],
    });
  } catch (error) {
    // No answer: it may have been done. The zone itself tells.
    if (!(error instanceof ApiProblem) || error.status !== 0) throw error;
    const { records } = await listZone(access, wish.zone, zoneId);
    if (!records.some((one) => one.name === name.name && one.content === content)) throw error;
  }
  const until = options.settleSeconds ?? 60;
  for (let waited = 0; ; waited += 1) {
    const after = await answers(name.name);
    if (JSON.stringify(after) === JSON.stringify(before)) return;
    if (waited >= until) {
      throw new Error(
        `${name.name}: answered ${JSON.stringify(before)} before and ${JSON.stringify(after)} now\nHINT: put back ${name.replaces.map((one) => `${one.type} ${one.content} TTL ${ttlOf(one)}`).join(", ")} instead of the CNAME, and find out why; no other name was touched.`,
      );
    }
    await sleep(1);
  }
}
