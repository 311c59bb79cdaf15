import { generateKeyPairSync } from "node:crypto";
import { local, type Transport } from "../../components";
import { put } from "./put";

/** Arguments of a pair that fit, as a program hands them over. */

const pem = (type: "ed25519" | "x25519"): string => {
  const { privateKey } =
    type === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("x25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
};
export const WITNESS_KEY = pem("ed25519");
export const KEY_OF_ANOTHER_KIND = pem("x25519");
export const ZONE_ID = "0123456789abcdef0123456789abcdef";

function site(id: "a" | "b", transport: Transport = local()) {
  return {
    provider: id === "a" ? "hetzner" : "ovh",
    region: id === "a" ? "fsn1" : "gra",
    addresses: { v4: id === "a" ? "192.0.2.10" : "198.51.100.20" },
    transport,
  };
}

const service = { kind: "web", start: "start web", stop: "stop web", healthy: "ask web" } as const;

export function pairArgs() {
  return {
    activeSite: "a",
    sites: { a: site("a"), b: site("b") },
    database: { postgres: { dataDirectory: "/var/lib/postgresql/15/main" } },
    services: [
      { name: "web", ...service },
      { name: "api", ...service },
    ],
    dns: {
      cloudflare: {
        zones: [{ zone: "example.com", zoneId: ZONE_ID, hostnames: ["www.example.com"] }],
        servers: ["127.0.0.1#5300"],
      },
    },
    witnessKey: WITNESS_KEY,
  };
}

/** A copy with values put at paths. */
export function changed(changes: Readonly<Record<string, unknown>>): unknown {
  const args: Record<string, unknown> = pairArgs();
  put(args, changes);
  return args;
}
