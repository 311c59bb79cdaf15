import { z } from "zod";
import { pivotName, siteName } from "../plan/desired";
import { SITE_IDS, type SiteId } from "../plan/terms";
import { newestAnnounced } from "./claim";
import { apiCall, type ApiAccess } from "./cloudflareApi";

/** What the vendor's control plane says of one pivot, apart from the plan: read just before it is written, and after. */
export interface PivotLook {
  readonly zone: string;
  /** The site it points to, what else it holds, or nothing. */
  readonly at: SiteId | { readonly other: string } | undefined;
}

/** A zone and its id at the vendor. */
export interface ZoneId {
  readonly zone: string;
  readonly id: string;
}

const recordSchema = z.object({ content: z.string() });

/** One call. Throws ApiProblem. */
export async function lookAtPivot(access: ApiAccess, { zone, id }: ZoneId): Promise<PivotLook> {
  const query = `type=CNAME&name.exact=${pivotName(zone)}`;
  const { result } = await apiCall(access, "GET", `zones/${id}/dns_records?${query}`);
  const contents = z
    .array(recordSchema)
    .parse(result)
    .map((one) => one.content.toLowerCase().replace(/\.$/, ""));
  const [content, ...more] = contents;
  if (content === undefined) return { zone, at: undefined };
  const site = SITE_IDS.find((one) => siteName(one, zone) === content);
  return site === undefined || more.length > 0
    ? { zone, at: { other: contents.join(" and ") } }
    : { zone, at: site };
}

/** Pivots of these zones and the newest epoch that the first zone speaks of: one call each. Throws ApiProblem. */
export async function lookAtPivots(
  access: ApiAccess,
  first: ZoneId,
  zones: readonly ZoneId[],
): Promise<{
  readonly pivots: readonly PivotLook[];
  readonly newest: { readonly epoch: number; readonly what: string };
}> {
  const [newest, pivots] = await Promise.all([
    newestAnnounced(access, first.id, first.zone),
    Promise.all(zones.map((one) => lookAtPivot(access, one))),
  ]);
  return { newest, pivots };
}

export const spellPivot = ({ zone, at }: PivotLook): string =>
  at === undefined
    ? `${pivotName(zone)} is not there`
    : `${pivotName(zone)} points to ${typeof at === "string" ? siteName(at, zone) : at.other}`;
