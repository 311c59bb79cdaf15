import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { KINDS, SITE_IDS, type EpochRecord } from "../plan/terms";

/**
 * The witness: one signed TXT record that announces a transition before anything stops.
 * A valid signature proves who wrote a record, not that it is fresh: DNS is a veto, never a grant.
 * scripts/site/query.sh reads the same format at the sites; tests/site/witness.test.ts holds both to it.
 */

/** What is signed. `name` is the DNS name of the record itself, so that no other name can carry it. */
export interface WitnessRecord extends EpochRecord {
  readonly v: 1;
  readonly zone: string;
  readonly name: string;
  /** Id of the signing key: the first 8 hex digits of the SHA-256 of the raw public key. */
  readonly key: string;
}

/** The public half of a witness key, as the sites get it. */
export interface WitnessPublicKey {
  readonly id: string;
  /** Base64 of the raw 32 bytes. */
  readonly raw: string;
}

// The fixed head of an Ed25519 public key in SubjectPublicKeyInfo form; the raw 32 bytes follow it.
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const CONTENT =
  /^v=1 epoch=([1-9][0-9]{0,14}) from=([ab]) to=([ab]) kind=([a-z]+) key=([0-9a-f]{8}) sig=([A-Za-z0-9+/]{86}==)$/;

/** The text that is signed: one line, no line break at its end. */
export function canonicalWitness(record: WitnessRecord): string {
  const { zone, name, epoch, from, to, kind, key } = record;
  return `v=1 zone=${zone} name=${name} epoch=${epoch} from=${from} to=${to} kind=${kind} key=${key}`;
}

/**
 * The public half of a private key.
 * @param privateKeyPem Ed25519, PKCS #8 PEM. Throws if it is another kind of key.
 */
export function publicKeyOf(privateKeyPem: string): WitnessPublicKey {
  const key = createPrivateKey(privateKeyPem);
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(`witness key: ${String(key.asymmetricKeyType)} key, an Ed25519 key is needed`);
  }
  const raw = createPublicKey(key)
    .export({ type: "spki", format: "der" })
    .subarray(SPKI_HEAD.length);
  return {
    id: createHash("sha256").update(raw).digest("hex").slice(0, 8),
    raw: raw.toString("base64"),
  };
}

/**
 * Signs a record and returns the TXT content, unquoted, below 255 bytes.
 * @param record the key id in it is set to that of the private key.
 */
export function signWitness(privateKeyPem: string, record: Omit<WitnessRecord, "key">): string {
  const { id } = publicKeyOf(privateKeyPem);
  const { epoch, from, to, kind } = record;
  const text = canonicalWitness({ ...record, key: id });
  const signature = sign(null, Buffer.from(text), createPrivateKey(privateKeyPem));
  return `v=1 epoch=${epoch} from=${from} to=${to} kind=${kind} key=${id} sig=${signature.toString("base64")}`;
}

/**
 * Reads TXT content. Anything that is not exactly a record signed by one of `keys` for this zone and
 * name is a problem to report, and must be treated as no record at all.
 */
export function verifyWitness(
  content: string,
  keys: readonly WitnessPublicKey[],
  zone: string,
  name: string,
): WitnessRecord | { readonly problem: string } {
  const parts = CONTENT.exec(content);
  if (parts === null) return { problem: "not a witness record" };
  const [, epoch, fromText, toText, kindText, keyId, signature] = parts;
  const from = SITE_IDS.find((site) => site === fromText);
  const to = SITE_IDS.find((site) => site === toText);
  const kind = KINDS.find((known) => known === kindText);
  if (from === undefined || to === undefined || kind === undefined) {
    return { problem: `unknown kind ${String(kindText)}` };
  }
  const key = keys.find((known) => known.id === keyId);
  if (key === undefined) return { problem: `signed by unknown key ${String(keyId)}` };
  const record = { v: 1, zone, name, epoch: Number(epoch), from, to, kind, key: key.id } as const;
  const publicKey = createPublicKey({
    key: Buffer.concat([SPKI_HEAD, Buffer.from(key.raw, "base64")]),
    format: "der",
    type: "spki",
  });
  const text = Buffer.from(canonicalWitness(record));
  return verify(null, text, publicKey, Buffer.from(String(signature), "base64"))
    ? record
    : { problem: `signature of key ${key.id} does not fit zone ${zone}, name ${name} and content` };
}
