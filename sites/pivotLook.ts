import { pivotName, siteName } from "../plan/desired";
import { SITE_IDS, type SiteId } from "../plan/terms";
import { newestAnnounced } from "./claim";
import { apiCall, type ApiAccess } from "./cloudflareApi";
import { z } from "zod";

/** What the vendor's control plane says of one pivot, apart from the plan: read just before it is written, and after. */
export interface PivotLook {
  readonly zone: string;
  /** The site it points to, what else it holds, or nothing. */
  readonly at: SiteId | { readonly other: string } | undefined;
}

const recordSchema = z.object({ content: z.string() });

/** One call. Throws ApiProblem. */
export async function lookAtPivot(
  access: ApiAccess,
  { zone, id }: { readonly zone: string; readonly id: string },
): Promise<PivotLook> {
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

/** All pivots and the newest epoch of the first zone: one call a zone and one more. Throws ApiProblem. */
export async function lookAtPivots(
  access: ApiAccess,
  zones: readonly { readonly zone: string; readonly id: string }[],
): Promise<{
  readonly pivots: readonly PivotLook[];
  readonly newest: { readonly epoch: number; readonly what: string };
}> {
  const [first] = zones;
  if (first === undefined) throw new Error("at least one zone");
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
