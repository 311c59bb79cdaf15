/** Cloudflare zones: read only. A bench that could delete a zone would be a poor idea. */
import { Act, Invoke, Kind } from "./kind";
import { ApiError, call } from "./cloudflareApi";
import { toCamel } from "./cloudflareCase";
import { Props, isObject } from "../values";

const READ_ONLY = "the lab engine reads zones and does not change them: install the Pulumi CLI";

export const zone: Kind = {
  secrets: [],
  secretnessCounts: false,
  check: (inputs) => inputs,
  diff: () => ({ reasons: [], replace: [] }),
  plan: (inputs) => inputs,
  create: () => Promise.reject(new Error(READ_ONLY)),
  update: () => Promise.reject(new Error(READ_ONLY)),
  delete: () => Promise.reject(new Error(READ_ONLY)),
  async read(id, _known, act) {
    try {
      const outputs = await getById(id, act);
      return { id, inputs: { name: outputs.name, account: outputs.account }, outputs };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  },
};

/** getZone: by `zoneId`, or by `filter.name`, which must hit exactly one zone. */
export const getZone: Invoke = async (args, act) => {
  if (typeof args.zoneId === "string") return getById(args.zoneId, act);
  const filter = isObject(args.filter) ? args.filter : {};
  const query = new URLSearchParams(queryOf(filter)).toString();
  const found = await call("GET", `zones?${query}`, undefined, act);
  const hits = Array.isArray(found) ? found.filter(isObject) : [];
  const [only] = hits;
  if (only === undefined || hits.length > 1) {
    throw new Error(`getZone: expected exactly one result, got ${hits.length}`);
  }
  return { ...(await getById(String(only.id), act)), filter };
};

function queryOf(filter: Props): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [key, value] of Object.entries(filter)) {
    if (isObject(value)) {
      for (const [part, item] of Object.entries(value)) query[`${key}.${part}`] = String(item);
    } else if (value !== undefined) query[key] = String(value);
  }
  return query;
}

async function getById(id: string, act: Act): Promise<Record<string, unknown>> {
  const found = toCamel(await call("GET", `zones/${id}`, undefined, act));
  if (!isObject(found)) throw new Error(`zone ${id}: the answer has no result`);
  return { ...found, id, zoneId: id };
}
