// As if flipped: every name at the target's own address, over real TLS on loopback.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createSecureContext } from "node:tls";
import type { LiveRecord } from "../../plan/dns/zone";
import { rehearse, type RehearseOptions } from "../../sites/rehearse";

const PIVOT = "active.shop.test";
const folder = mkdtempSync(path.join(tmpdir(), "standby-rehearse-"));
let server: Server;
let options: RehearseOptions;
const names = [
  "www.shop.test",
  "api.shop.test",
  "sick.shop.test",
  "other.shop.test",
  "apart.shop.test",
];

/** A certificate of its own issuer for these names. */
function certificate(
  file: string,
  subjects: readonly string[],
  days: number,
): { key: string; cert: string } {
  const [key, cert] = [path.join(folder, `${file}.key`), path.join(folder, `${file}.pem`)];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/CN=${file}`, "-days", String(days), "-keyout", key, "-out", cert],
      ...["-addext", `subjectAltName=${subjects.map((one) => `DNS:${one}`).join(",")}`],
    ],
    { stdio: "ignore" },
  );
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

const alias = (name: string): LiveRecord => ({
  ...{ id: name, name, type: "CNAME", content: PIVOT, ttl: 60, proxied: false },
});

beforeAll(async () => {
  const good = certificate("good", ["www.shop.test", "sick.shop.test"], 90);
  const short = certificate("short", ["api.shop.test"], 3);
  server = createServer(
    {
      ...good,
      SNICallback: (name, done) =>
        done(null, createSecureContext(name === "api.shop.test" ? short : good)),
    },
    (request, response) => {
      response.statusCode = request.headers.host === "sick.shop.test" ? 502 : 200;
      response.end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.3", resolve));
  options = {
    ...{ site: "b", names, addresses: ["127.0.0.3"], pivot: PIVOT, now: Date.now() },
    live: names.filter((name) => name !== "apart.shop.test").map(alias),
    port: (server.address() as AddressInfo).port,
    ca: good.cert + short.cert,
  };
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

test("chain, subject, days left, HTTP and the alias itself: each fault by name", async () => {
  const { works, faults, ...rest } = await rehearse(options);
  expect({ works, ...rest }).toEqual({ site: "b", names: 5, works: 1 });
  expect(faults.map((one) => one.name)).toEqual(names.slice(1));
  expect(faults[0]?.what).toMatch(/ends in [23] days/);
  expect(faults[1]?.what).toBe("HTTP 502 at 127.0.0.3");
  expect(faults[2]?.what).toMatch(/altnames/i);
  expect(faults[3]?.what).toContain("would not move");
});

test("a certificate of an unknown issuer does not pass", async () => {
  const { ca: _, ...unknown } = options;
  const { works, faults } = await rehearse({ ...unknown, names: ["www.shop.test"] });
  expect(works).toBe(0);
  expect(faults[0]?.what).toMatch(/self-signed|certificate/);
});

test("a site that does not listen is a fault within the bound; every address must work", async () => {
  const { faults } = await rehearse({
    ...options,
    names: ["www.shop.test"],
    addresses: ["127.0.0.3", "127.0.0.77"],
  });
  expect(faults[0]?.what).toContain("127.0.0.77");
});
