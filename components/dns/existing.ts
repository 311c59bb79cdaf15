import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { plainValue, type CloudflareArgs } from "./cloudflare";

/** Records that the zones hold already: `NAME TYPE` -> id as the option `import` takes it. */
export type Existing = ReadonlyMap<string, string>;

const PER_PAGE = 5000;
const pageSchema = z.object({
  success: z.literal(true),
  result: z.array(z.object({ id: z.string(), name: z.string(), type: z.string() })),
});

/** Lists the zones by the API. Throws when that fails: adopting is never urgent. */
export async function existingRecords(args: CloudflareArgs): Promise<Existing> {
  const config = new pulumi.Config("cloudflare");
  const token = config.get("apiToken") ?? process.env.CLOUDFLARE_API_TOKEN;
  if (token === undefined) {
    throw new Error("adopt: no API token; pulumi config set --secret cloudflare:apiToken");
  }
  const base =
    config.get("baseUrl") ??
    process.env.CLOUDFLARE_BASE_URL ??
    "https://api.cloudflare.com/client/v4";
  const found = new Map<string, string>();
  for (const { zoneId } of args.zones) {
    const id = await plainValue(zoneId);
    for (let page = 1; ; page += 1) {
      const records = await onePage(`${base.replace(/\/$/, "")}/zones/${id}`, token, page);
      for (const one of records) found.set(`${one.name} ${one.type}`, `${id}/${one.id}`);
      if (records.length === 0) break;
    }
  }
  return found;
}

async function onePage(zone: string, token: string, page: number) {
  const answer = await fetch(`${zone}/dns_records?per_page=${PER_PAGE}&page=${page}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`adopt: the API answered ${answer.status} to a list of records`);
  return pageSchema.parse(await answer.json()).result;
}
