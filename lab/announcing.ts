import type { EpochRecord } from "../plan/terms";
import { signWitness } from "../sites/witness";
import type { CloudflareLab } from "./cloudflare";

/** Where a witness stands, and who signs it. */
export interface WitnessPlace {
  readonly zone: string;
  readonly name: string;
  /** Private key, PKCS #8 PEM. */
  readonly key: string;
}

/** Writes the signed witness of an epoch into the vendor's zone, in the place of the one before. */
export function announceAt(
  cloudflare: CloudflareLab,
  { zone, name, key }: WitnessPlace,
  record: EpochRecord,
): void {
  const content = signWitness(key, { v: 1, zone, name, ...record });
  cloudflare.deleteRecord(zone, name, "TXT");
  cloudflare.setRecord(zone, { name, type: "TXT", content: `"${content}"`, ttl: 60 });
}

/** Input lines of an epoch, for the run of this number. */
export function epochLines({ epoch, from, to, kind }: EpochRecord, run: number) {
  return { epoch: String(epoch), from, to, kind, run: `${run}-test` };
}
