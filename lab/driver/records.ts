import { firstZone, pivotName, siteName, witnessName, type Desired } from "../../plan/desired";
import type { Act } from "../../plan/step";
import { KINDS, SITE_IDS } from "../../plan/terms";
import { signWitness } from "../../sites/witness";
import type { CellLab } from "../place";

/** A record as the DNS resources write it. */
export interface LabRecord {
  readonly name: string;
  readonly type: string;
  readonly content: string;
}

const API_MS = 1500;

interface Answer {
  readonly success: boolean;
  readonly errors?: readonly { readonly code: number; readonly message: string }[];
  readonly result: readonly { readonly id: string }[];
}

/** The record that a plan's record step writes, the witness signed. */
export function recordOf(
  act: Extract<Act, { kind: "record" }>,
  wish: Desired,
  key: string,
): LabRecord {
  const { name, type } = act;
  return { name, type, content: type === "TXT" ? signed(act.content, wish, key) : act.content };
}

/** Writes it over the emulator's API, once; a fault of the API is thrown. */
export async function writeRecord(lab: CellLab, record: LabRecord): Promise<void> {
  const { name, type } = record;
  const content = type === "TXT" ? `"${record.content}"` : record.content;
  const body = JSON.stringify({ name, type, content, ttl: 60, proxied: false });
  const found = await call(lab, "GET", `?name=${name}&type=${type}`);
  const id = found.result[0]?.id;
  await (id === undefined ? call(lab, "POST", "", body) : call(lab, "PUT", `/${id}`, body));
}

/** Whether records can be written now, as the component finds out. */
export async function writable(
  lab: CellLab,
): Promise<{ writable: true } | { writable: false; why: string }> {
  try {
    await call(lab, "GET", "?per_page=1");
    return { writable: true };
  } catch (error) {
    return { writable: false, why: error instanceof Error ? error.message : String(error) };
  }
}

/** The records that a flip never changes, put straight into the zone. */
export function placeNames(lab: CellLab, wish: Desired): void {
  const zone = firstZone(wish);
  for (const site of SITE_IDS) {
    const { v4 } = wish.sites[site].addresses;
    lab.cloudflare.setRecord(zone, { name: siteName(site, zone), type: "A", content: v4, ttl: 60 });
  }
  for (const name of lab.hostnames) {
    const alias = { name, type: "CNAME", content: pivotName(zone), ttl: 60 };
    lab.cloudflare.setRecord(zone, alias);
  }
}

async function call(lab: CellLab, method: string, rest: string, body?: string): Promise<Answer> {
  const { apiUrl, token, zones } = lab.cloudflare;
  const id = zones.find((zone) => zone.name === lab.zone)?.id ?? "";
  const answer = await fetch(`${apiUrl}/zones/${id}/dns_records${rest}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    signal: AbortSignal.timeout(API_MS),
    ...(body === undefined ? {} : { body }),
  });
  const read = (await answer.json()) as Answer;
  if (answer.ok && read.success) return read;
  const first = read.errors?.[0];
  throw new Error(`the API answered ${answer.status} ${String(first?.code)} ${first?.message}`);
}

function signed(content: string, wish: Desired, key: string): string {
  const field = (id: string) => new RegExp(`(?:^| )${id}=([^ ]*)`).exec(content)?.[1] ?? "";
  const [from, to] = [field("from"), field("to")].map((text) =>
    SITE_IDS.find((site) => site === text),
  );
  const kind = KINDS.find((known) => known === field("kind"));
  if (from === undefined || to === undefined || kind === undefined) {
    throw new Error(`witness content is not of this version: ${content}`);
  }
  const [zone, name, epoch] = [firstZone(wish), witnessName(wish), Number(field("epoch"))];
  return signWitness(key, { v: 1, zone, name, epoch, from, to, kind });
}
