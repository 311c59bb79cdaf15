/**
 * cloudflare.DnsRecord 6.17.0: the same calls and bodies as the real provider.
 *
 * POST to create, PUT of the whole record to update, never PATCH. A record that was deleted by hand
 * makes update and delete fail (404 is a hard error); only a refresh drops it.
 */
import { Act, Kind, Live } from "./kind";
import { ApiError, call } from "./cloudflareApi";
import { sorted, toCamel, toSnake } from "./cloudflareCase";
import { Props, differences, isObject, rootOf } from "../values";

const SENT = ["comment", "content", "data", "name", "priority", "privateRouting", "proxied"];
const ALSO_SENT = ["settings", "tags", "ttl", "type"];
const FIELDS = [...SENT, ...ALSO_SENT];
const COMPUTED = ["createdOn", "modifiedOn", "commentModifiedOn", "tagsModifiedOn", "proxiable"];
const REPLACING = ["zoneId", "type"];

export const dnsRecord: Kind = {
  secrets: [],
  secretnessCounts: false,
  check(inputs) {
    const missing = ["zoneId", "name", "type", "ttl"].filter((key) => inputs[key] === undefined);
    if (missing.length > 0) throw new Error(`DnsRecord: missing ${missing.join(", ")}`);
    return inputs;
  },
  diff(before, after) {
    const changed = [...new Set([...differences(before, after).keys()].map(rootOf))];
    const reasons = changed.length === 0 ? [] : [...new Set([...changed, "modifiedOn"])].sort();
    return { reasons, replace: changed.filter((key) => REPLACING.includes(key)).sort() };
  },
  plan(inputs, before) {
    if (before === undefined) return { proxied: false, ...inputs };
    const { modifiedOn: _changes, ...kept } = before.outputs;
    return { ...kept, ...inputs };
  },
  async create(inputs, act) {
    // Kept from the real provider: it refuses this on create, and only there.
    if (inputs.proxied === true && inputs.ttl !== 1) {
      throw new Error("ttl must be set to 1 when `proxied` is true");
    }
    const body = sorted(toSnake({ proxied: false, ...pickFields(inputs) }) as Props);
    const outputs = outputsOf(await call("POST", path(inputs.zoneId), body, act), inputs);
    return { id: String(outputs.id), outputs };
  },
  async update(live, inputs, act) {
    const body = bodyOfUpdate(live, inputs);
    return outputsOf(await call("PUT", path(inputs.zoneId, live.id), body, act), inputs);
  },
  async delete(live, act) {
    await call("DELETE", path(live.outputs.zoneId ?? live.inputs.zoneId, live.id), undefined, act);
  },
  read,
};

async function read(id: string, known: Props, act: Act): Promise<Live | undefined> {
  const [zoneId, recordId] = id.includes("/") ? id.split("/") : [known.zoneId, id];
  if (zoneId === undefined || recordId === undefined) {
    throw new Error(`invalid id ${id}: expected <zone_id>/<dns_record_id>`);
  }
  try {
    const found = await call("GET", path(zoneId, recordId), undefined, act);
    const outputs = outputsOf(found, { zoneId });
    return { id: recordId, inputs: { zoneId, ...inputsOf(outputs, known) }, outputs };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function path(zoneId: unknown, recordId?: string): string {
  const records = `zones/${String(zoneId)}/dns_records`;
  return recordId === undefined ? records : `${records}/${recordId}`;
}

function pickFields(props: Props): Props {
  return Object.fromEntries(
    FIELDS.filter((key) => props[key] !== undefined).map((key) => [key, props[key]]),
  );
}

// The whole record: what the program says, `settings` and `tags` as last seen where it is silent,
// and an explicit null for a field that the program no longer sets.
function bodyOfUpdate(live: Live, inputs: Props): Props {
  const seen = { settings: live.outputs.settings, tags: live.outputs.tags };
  const body = toSnake({ proxied: false, ...seen, ...pickFields(inputs) }) as Record<
    string,
    unknown
  >;
  for (const key of FIELDS) {
    const unset = live.inputs[key] !== undefined && inputs[key] === undefined;
    const name = key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
    if (unset && body[name] === undefined) body[name] = null;
  }
  return sorted(body);
}

// After a write only the computed fields are taken from the answer; the rest is what was asked for.
function outputsOf(result: unknown, inputs: Props): Props {
  const answer = isObject(result) ? (toCamel(result) as Record<string, unknown>) : {};
  const computed = Object.fromEntries(
    [...COMPUTED, ...FIELDS, "id"]
      .filter((k) => answer[k] !== undefined)
      .map((k) => [k, answer[k]]),
  );
  const meta = isObject(result) && result.meta !== undefined ? JSON.stringify(result.meta) : "{}";
  const outputs = { proxied: false, ...computed, ...inputs, meta };
  return { __meta: '{"schema_version":"500"}', settings: {}, tags: [], ...outputs };
}

// What the program would have written for this record. A field that the program leaves to the API
// (settings, tags, proxied) is no input unless it was one before.
function inputsOf(outputs: Props, known: Props): Props {
  const fields = Object.entries(pickFields(outputs));
  return Object.fromEntries(
    fields.filter(([key, value]) => key in known || !isDefault(key, value)),
  );
}

function isDefault(key: string, value: unknown): boolean {
  return key === "settings" || key === "tags" || (key === "proxied" && value === false);
}
