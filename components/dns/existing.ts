import { listZone } from "../../sites/cloudflareApi";
import { plain } from "../given";
import { apiAccess } from "./access";
import type { CloudflareArgs } from "./cloudflare";

/** Records that the zones hold already: `NAME TYPE` -> id as the option `import` takes it. */
export type Existing = ReadonlyMap<string, string>;

/** Lists the zones by the API. Throws when that fails: adopting is never urgent. */
export async function existingRecords(args: CloudflareArgs): Promise<Existing> {
  const access = apiAccess();
  if (access === undefined) {
    throw new Error("adopt: no API token; pulumi config set --secret cloudflare:apiToken");
  }
  const found = new Map<string, string>();
  for (const { zone, zoneId } of args.zones) {
    const id = await plain(zoneId);
    if (!id.known)
      throw new Error(`adopt: the id of zone ${zone} is not known yet; give it as text`);
    const { records } = await listZone(access, zone, String(id.value));
    for (const one of records)
      found.set(`${one.name} ${one.type}`, `${String(id.value)}/${one.id}`);
  }
  return found;
}
