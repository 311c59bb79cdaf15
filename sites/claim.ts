import { z } from "zod";
import { claimName } from "../plan/desired";
import { apiCall, messageOf, type ApiAccess } from "./cloudflareApi";

/**
 * The claim on an epoch: one CNAME that can only be created, `e<N>._standby.<zone>`. It orders two runners that share no
 * site, and so no run id. Invariants, raced in tests/dns/claim.test.ts at every pause point:
 * - what a POST answered decides nothing, for it may be retried or lost; only what is read back does;
 * - whoever reads another's claim of its epoch, or any claim of a newer one, goes no further;
 * - the newest claim stays, so a runner that slept through an epoch finds it.
 */
export interface ClaimWish {
  readonly zone: string;
  readonly zoneId: string;
  readonly pair: string;
  readonly epoch: number;
  /** What tells this stack's claims of this epoch from everybody else's: it is kept in the stack's own state. */
  readonly id: string;
}

export type Claim =
  | { readonly state: "ours"; readonly removed: number }
  | { readonly state: "taken"; readonly name: string; readonly by: string; readonly since: string }
  | { readonly state: "late"; readonly epoch: number; readonly what: string }
  | { readonly state: "silent"; readonly why: string };

const recordSchema = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  content: z.string(),
  created_on: z.string().default("an unknown time"),
});
type Read = z.infer<typeof recordSchema>;

/** What a claim points to: no name that exists, but one that says whose it is. */
export function claimTarget({ id, pair, zone }: Pick<ClaimWish, "id" | "pair" | "zone">): string {
  return `${id}.${pair}._standby.${zone}`;
}

/** Claims the epoch, or finds out who has. Never rejects; old claims are removed once the new one is ours. */
export async function claimEpoch(access: ApiAccess, wish: ClaimWish): Promise<Claim> {
  const { zone, zoneId, epoch } = wish;
  const name = claimName(epoch, zone);
  const content = claimTarget(wish);
  const body = { name, type: "CNAME", content, ttl: 60, proxied: false };
  // Refused, retried or lost: whatever it was, the list below tells.
  const posted = await apiCall(access, "POST", `zones/${zoneId}/dns_records`, body).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  try {
    const found = await announced(access, zoneId, zone);
    const newer = newestOf(found, zone);
    if (newer.epoch > epoch) return { state: "late", ...newer };
    const here = found.filter((one) => one.name === name);
    const other = here.find((one) => one.content.toLowerCase() !== content);
    if (other !== undefined) {
      return { state: "taken", name, by: other.content, since: other.created_on };
    }
    if (here.length === 0)
      return { state: "silent", why: posted ?? "the new record is not listed" };
    return { state: "ours", removed: await removeOld(access, wish, found) };
  } catch (error) {
    return { state: "silent", why: messageOf(error) };
  }
}

/** Removes every claim of a pair that is let go, so that another pair of this zone may begin. Throws ApiProblem. */
export async function removeClaims(
  access: ApiAccess,
  { zone, zoneId, pair }: Pick<ClaimWish, "zone" | "zoneId" | "pair">,
): Promise<void> {
  const own = (await announced(access, zoneId, zone)).filter(
    (one) =>
      claimedEpoch(one, zone) !== undefined &&
      one.content.toLowerCase().endsWith(`.${pair}._standby.${zone}`),
  );
  for (const { id } of own) await apiCall(access, "DELETE", `zones/${zoneId}/dns_records/${id}`);
}

/** A claim that could not be removed is removed by the next one; nothing depends on it. */
async function removeOld(
  access: ApiAccess,
  { zone, zoneId, epoch }: ClaimWish,
  found: readonly Read[],
): Promise<number> {
  const old = found.filter((one) => {
    const of = claimedEpoch(one, zone);
    return of !== undefined && of < epoch;
  });
  const gone = await Promise.all(
    old.map(({ id }) =>
      apiCall(access, "DELETE", `zones/${zoneId}/dns_records/${id}`).then(
        () => true,
        () => false,
      ),
    ),
  );
  return gone.filter(Boolean).length;
}

/** The newest epoch that the zone itself speaks of, by a claim or by a witness, signed or not. Throws ApiProblem. */
export async function newestAnnounced(
  access: ApiAccess,
  zoneId: string,
  zone: string,
): Promise<{ readonly epoch: number; readonly what: string }> {
  return newestOf(await announced(access, zoneId, zone), zone);
}

async function announced(
  access: ApiAccess,
  zoneId: string,
  zone: string,
): Promise<readonly Read[]> {
  const query = "name.contains=_standby&per_page=1000";
  const { result } = await apiCall(access, "GET", `zones/${zoneId}/dns_records?${query}`);
  return z
    .array(recordSchema)
    .parse(result)
    .map((one) => ({ ...one, name: one.name.toLowerCase() }))
    .filter((one) => one.name.endsWith(`.${zone}`));
}

function newestOf(
  found: readonly Read[],
  zone: string,
): { readonly epoch: number; readonly what: string } {
  return found.reduce(
    (best, one) => {
      const epoch = claimedEpoch(one, zone) ?? witnessEpoch(one) ?? 0;
      const what = `${one.name} ${one.type} since ${one.created_on}`;
      return epoch > best.epoch ? { epoch, what } : best;
    },
    { epoch: 0, what: "nothing" },
  );
}

function claimedEpoch({ name, type }: Read, zone: string): number | undefined {
  const match = /^e([1-9][0-9]{0,14})\._standby\./.exec(name);
  const epoch = Number(match?.[1]);
  return type === "CNAME" && match !== null && name === claimName(epoch, zone) ? epoch : undefined;
}

function witnessEpoch({ name, type, content }: Read): number | undefined {
  const match = /^"?v=1 epoch=([1-9][0-9]{0,14}) /.exec(content);
  return type === "TXT" && name.startsWith("_standby-") && match !== null
    ? Number(match[1])
    : undefined;
}
