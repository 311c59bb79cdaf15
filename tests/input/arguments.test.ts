import { Refusal, ssh, local } from "../../components";
import { resolved } from "../../components/resolved";
import { wishOf } from "../../components/wish";
import { changed, KEY_OF_ANOTHER_KIND, pairArgs, WITNESS_KEY, ZONE_ID } from "./args";

/**
 * What a program can hand over that does not fit. Each case: one refusal, before anything is looked at, with every issue
 * in it as `path: value: what to do`, and nothing else in it.
 */

async function refusal(args: unknown, name = "shop"): Promise<string> {
  try {
    wishOf(name, args, await resolved(args));
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    return (error as Refusal).message;
  }
  throw new Error("it was taken");
}

async function issues(args: unknown, name?: string): Promise<readonly string[]> {
  const [head = "", ...lines] = (await refusal(args, name)).split("\n");
  const hint = lines.pop();
  expect(hint).toMatch(/^HINT: correct the program or its config \(pulumi config set KEY VALUE\)/);
  const [, count] = /^standby pair .*: (\d+) values? do(?:es)? not fit; nothing was changed$/.exec(
    head,
  ) ?? [""];
  expect(Number(count)).toBe(lines.length);
  return lines.map((line) => line.trim());
}

type Change = Readonly<Record<string, unknown>>;
const zones = (more: Change) => ({
  "dns.cloudflare.zones": [
    { zone: "example.com", zoneId: ZONE_ID, hostnames: ["www.example.com"], ...more },
  ],
});
const keys = (more: Change) => ({
  witnessKeys: [{ id: "0123abcd", raw: `${"A".repeat(43)}=`, ...more }],
});
const host = { host: "192.0.2.10", user: "root", hostKeys: ["ssh-ed25519 AAAA"] };
const loose = (args: unknown) => args as Parameters<typeof ssh>[0];

// prettier-ignore
const CASES: readonly (readonly [string, Change, string])[] = [
  ["a site that is not there", { activeSite: "c" }, 'activeSite: "c": Invalid option: expected one of "a"|"b"'],
  ["no site named", { activeSite: undefined }, 'activeSite: missing: Invalid option: expected one of "a"|"b"'],
  ["the same address twice", { "sites.b.addresses.v4": "192.0.2.10" }, "sites.b.addresses.v4: \"192.0.2.10\": it is site a's address too"],
  ["the same provider and region", { "sites.b.provider": "hetzner", "sites.b.region": "fsn1" }, 'sites.b.region: "fsn1": provider hetzner and region fsn1 are those of site a too'],
  ["an address of no family", { "sites.a.addresses.v4": "999.1.1.1" }, 'sites.a.addresses.v4: "999.1.1.1": Invalid IPv4'],
  ["no address", { "sites.a.addresses": {} }, "sites.a.addresses.v4: missing: "],
  ["a v6 at one site only", { "sites.a.addresses.v6": "2001:db8::1" }, "sites.b.addresses.v6: missing; both sites need the same record types"],
  ["a third site", { "sites.c": {} }, "sites.c: unknown key"],
  ["one site", { "sites.b": undefined }, "sites.b: missing: a value of type object is needed"],
  ["no sites", { sites: undefined }, "sites: missing: a value of type object is needed"],
  ["a provider with a blank", { "sites.a.provider": "het zner" }, 'sites.a.provider: "het zner": must be made of letters'],
  ["no region", { "sites.a.region": undefined }, "sites.a.region: missing: a value of type string is needed"],
  ["a state folder that is no path", { "sites.a.stateDirectory": "standby; rm" }, 'sites.a.stateDirectory: "standby; rm": must be an absolute path'],
  ["an unknown key", { activSite: "b" }, "activSite: unknown key; remove it or correct its spelling"],
  ["an unknown key of a site", { "sites.a.adress": "x" }, "sites.a.adress: unknown key"],
  ["an unknown key of the addresses", { "sites.a.addresses.v5": "x" }, "sites.a.addresses.v5: unknown key"],
  ["a key of the plan's own", { "sites.a.enter": "exit" }, "sites.a.enter: unknown key; remove it"],
  ["an unknown engine", { "database.mysql": {} }, "database.mysql: unknown key; postgres is known"],
  ["no database", { database: undefined }, "database.postgres.dataDirectory: missing: a value of type string is needed"],
  ["an unknown key of the database", { "database.postgres.prot": 1 }, "database.postgres.prot: unknown key"],
  ["an unknown key of one site's database", { "sites.b.postgres": { prot: 1 } }, "sites.b.postgres.prot: unknown key"],
  ["a port as text", { "database.postgres.port": "5432" }, 'database.postgres.port: "5432": Invalid input: expected number'],
  ["a port out of range", { "sites.b.postgres": { port: 70000 } }, "sites.b.postgres.port: 70000: Too big"],
  ["a data folder that is relative", { "database.postgres.dataDirectory": "pgdata" }, 'database.postgres.dataDirectory: "pgdata": must be an absolute path'],
  ["a role that is no identifier", { "database.postgres.replicationUser": "x'; drop" }, `database.postgres.replicationUser: "x'; drop": must be a lower-case SQL identifier`],
  ["a slot limit without unit", { "database.postgres.slotKeep": "4" }, 'database.postgres.slotKeep: "4": must be a size such as 4GB'],
  ["no time to stop", { "database.postgres.stopSeconds": 0 }, "database.postgres.stopSeconds: 0: Too small"],
  ["a transport that was forgotten", { "sites.a.transport": undefined }, "sites.a.transport: missing: ssh("],
  ["a wrapper without a program", { "sites.a.transport": local({ wrap: [] }) }, "sites.a.transport.wrap: a list of 0: name the program"],
  ["ssh without host keys", { "sites.a.transport": ssh({ ...host, hostKeys: [] }) }, "sites.a.transport.hostKeys: a list of 0: at least one"],
  ["ssh with a host key of one word", { "sites.a.transport": ssh({ ...host, hostKeys: ["AAAA"] }) }, 'sites.a.transport.hostKeys.0: "AAAA": must read TYPE KEY'],
  ["ssh with a host that is an option", { "sites.a.transport": ssh({ ...host, host: "-oProxyCommand=x" }) }, 'sites.a.transport.host: "-oProxyCommand=x": must be made of letters'],
  ["ssh with an unknown key", { "sites.a.transport": ssh(loose({ ...host, prot: 22 })) }, "sites.a.transport.prot: unknown key"],
  ["ssh without a user", { "sites.a.transport": ssh(loose({ host: "h", hostKeys: host.hostKeys })) }, "sites.a.transport.user: missing: a value of type string is needed"],
  ["a service of no kind", { "services.0.kind": "cron" }, 'services.0.kind: "cron": Invalid option'],
  ["a command of two lines", { "services.0.start": "one\ntwo" }, "services.0.start: a text of 7 characters: must be one line"],
  ["a service name used twice", { "services.1.name": "web" }, 'services.1.name: "web": used twice'],
  ["a service without a health command", { "services.0.healthy": undefined }, "services.0.healthy: missing"],
  ["an unknown key of a service", { "services.0.restart": "x" }, "services.0.restart: unknown key"],
  ["services that are no list", { services: "web" }, 'services: "web": Invalid input: expected array'],
  ["maintenance without off", { maintenance: { on: "true" } }, "maintenance.off: missing"],
  ["a ttl of 0", { "dns.cloudflare.ttl": 0 }, "dns.cloudflare.ttl: 0: below 30 is refused by Cloudflare"],
  ["a ttl of 3600", { "dns.cloudflare.ttl": 3600 }, "dns.cloudflare.ttl: 3600: a flip waits for it: at most 300 seconds"],
  ["a hostname outside the zone", zones({ hostnames: ["www.example.org"] }), 'dns.cloudflare.zones.0.hostnames.0: "www.example.org": it does not lie in zone example.com'],
  ["a hostname of our own", zones({ hostnames: ["active.example.com"] }), 'dns.cloudflare.zones.0.hostnames.0: "active.example.com": this component keeps the name for itself'],
  ["a hostname in capitals", zones({ hostnames: ["WWW.example.com"] }), 'dns.cloudflare.zones.0.hostnames.0: "WWW.example.com": must be a lower-case DNS name'],
  ["a hostname twice", zones({ hostnames: ["www.example.com", "www.example.com"] }), 'dns.cloudflare.zones.0.hostnames.1: "www.example.com": used twice'],
  ["no hostname", zones({ hostnames: [] }), "dns.cloudflare.zones.0.hostnames: a list of 0: Too small"],
  ["a zone id that is a name", zones({ zoneId: "example.com" }), 'dns.cloudflare.zones.0.zoneId: "example.com": the 32 hex digits'],
  ["no zone id", zones({ zoneId: undefined }), "dns.cloudflare.zones.0.zoneId: missing"],
  ["an unknown key of a zone", zones({ ttl: 60 }), "dns.cloudflare.zones.0.ttl: unknown key"],
  ["no zone", { "dns.cloudflare.zones": [] }, "dns.cloudflare.zones: a list of 0: Too small"],
  ["an unknown vendor", { "dns.route53": {} }, "dns.route53: unknown key; cloudflare is known"],
  ["no vendor", { dns: {} }, "dns.cloudflare: missing: a value of type object is needed"],
  ["a name server by name", { "dns.cloudflare.servers": ["ns1.example.com"] }, 'dns.cloudflare.servers.0: "ns1.example.com": must be ADDRESS or ADDRESS#PORT'],
  ["a guard without time to act", { guard: { bound: 1 } }, "guard.bound: 1: must be at least guard.after + guard.poll + 4 s"],
  ["an isolation that is not known", { guard: { isolation: "never" } }, 'guard.isolation: "never": Invalid option'],
  ["a limit of nothing", { limits: { lagBytes: 0 } }, "limits.lagBytes: 0: Too small"],
  ["no witness key", { witnessKey: undefined }, "witnessKey: missing: openssl genpkey -algorithm ed25519"],
  ["a witness key that is none", { witnessKey: "hunter2" }, "witnessKey: [secret]: not a private Ed25519 key"],
  ["a witness key of another kind", { witnessKey: KEY_OF_ANOTHER_KIND }, "witnessKey: [secret]: not a private Ed25519 key"],
  ["a public key that is too short", keys({ raw: "AAAA" }), 'witnessKeys.0.raw: "AAAA": 32 raw bytes in base64 are needed'],
  ["a private key among the public ones", keys({ raw: WITNESS_KEY }), "witnessKeys.0.raw: a text of 119 characters: 32 raw bytes"],
  ["acceptance of epoch 0", { acceptLoss: 0 }, "acceptLoss: 0: Too small"],
  ["acceptance as text", { acceptUnproven: "8" }, 'acceptUnproven: "8": Invalid input: expected number'],
  ["acceptance of half an epoch", { acceptLoss: 1.5 }, "acceptLoss: 1.5: Invalid input: expected int"],
  ["an approval that is no digest", { approvedPlan: "yes" }, 'approvedPlan: "yes": must be a plan digest as preview prints it, EPOCH-HASH'],
  ["a way to look that is not known", { observe: "never" }, 'observe: "never": Invalid option'],
  ["a protection that is no switch", { protect: "no" }, 'protect: "no": true or false is needed'],
];

test.each(CASES)("%s is named with its path, its value and what to do", async (_, change, line) => {
  const found = await issues(changed(change));
  expect(found).toHaveLength(1);
  expect(found[0]?.startsWith(line) === true ? line : found[0]).toBe(line);
});

test("arguments that fit are taken", async () => {
  const args = pairArgs();
  const { wish, key } = wishOf("shop", args, await resolved(args));
  expect(wish.activeSite).toBe("a");
  expect(wish.sites.b.database.host).toBe("198.51.100.20");
  expect(key).toBe(WITNESS_KEY);
});

test("all issues come at once, whatever schema they fail", async () => {
  const found = await issues(
    changed({
      activeSite: "c",
      "sites.b.addresses.v4": "192.0.2.10",
      "sites.a.transport": ssh({ ...host, hostKeys: ["AAAA"] }),
      "dns.cloudflare.ttl": 3600,
      "dns.cloudflare.zones.0.hostnames": ["www.example.org"],
      witnessKey: "hunter2",
      colour: "red",
    }),
  );
  expect(found.map((line) => line.split(":")[0])).toEqual([
    "activeSite",
    "dns.cloudflare.ttl",
    "colour",
    "sites.b.addresses.v4",
    "dns.cloudflare.zones.0.hostnames.0",
    "witnessKey",
    "sites.a.transport.hostKeys.0",
  ]);
});

test("a wrong name, and arguments that are no arguments at all", async () => {
  expect(await issues(pairArgs(), "Shop 1")).toEqual([
    'name: "Shop 1": must be a short lower-case name, such as shop',
  ]);
  for (const nothing of [{}, null, "pair", []]) {
    const paths = (await issues(nothing)).map((line) => line.split(":")[0]);
    expect(paths).toEqual(
      expect.arrayContaining([
        "activeSite",
        "sites",
        "dns.cloudflare",
        "database.postgres.dataDirectory",
        "witnessKey",
      ]),
    );
  }
});

test("no part of a witness key is ever printed", async () => {
  const body = WITNESS_KEY.split("\n")[1] ?? "";
  const texts = await Promise.all([
    refusal(changed({ witnessKey: `${WITNESS_KEY}x`.replace("BEGIN", "BEGUN") })),
    refusal(changed(keys({ raw: WITNESS_KEY }))),
    refusal(changed({ activeSite: WITNESS_KEY })),
    refusal(changed({ witness: WITNESS_KEY })),
  ]);
  for (const text of texts) expect(text).not.toContain(body);
});
