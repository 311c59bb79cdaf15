import { randomBytes } from "node:crypto";
import { firstZone, witnessName, type Desired } from "../plan/desired";
import type { Observed } from "../plan/observed";
import { KINDS, SITE_IDS } from "../plan/terms";
import { signWitness } from "../sites/witness";
import { Refusal } from "./refusal";

/** N-RANDOM, N one above the highest that any reached site stored: of two runners at most one goes on. */
export function runId(seen: Observed): string {
  const numbers = SITE_IDS.map((site) => {
    const facts = seen.sites[site];
    return facts.reach === "up" ? Number(facts.run?.split("-")[0] ?? 0) : 0;
  });
  return `${Math.max(0, ...numbers) + 1}-${randomBytes(4).toString("hex")}`;
}

/** The witness's content with its signature; Ed25519 is deterministic, so the same record reads the same. */
export function signed(key: string, wish: Desired, content: string): string {
  const field = (id: string) => new RegExp(`(?:^| )${id}=([^ ]*)`).exec(content)?.[1] ?? "";
  const [from, to] = [field("from"), field("to")].map((text) =>
    SITE_IDS.find((site) => site === text),
  );
  const kind = KINDS.find((known) => known === field("kind"));
  if (from === undefined || to === undefined || kind === undefined) {
    throw new Refusal(`witness content is not of this version: ${content}`);
  }
  return signWitness(key, {
    v: 1,
    zone: firstZone(wish),
    name: witnessName(wish),
    epoch: Number(field("epoch")),
    from,
    to,
    kind,
  });
}
