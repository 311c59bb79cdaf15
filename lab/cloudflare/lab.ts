import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Account, type ZoneSeed } from "./account";
import { createApi } from "./app";
import type { TokenScope } from "./auth";
import { type Clock, systemClock } from "./clock";
import { Directory } from "./dns/directory";
import type { DnsQuery } from "./dns/message";
import { DnsServers } from "./dns/server";
import { Faults } from "./faults";
import type { ApiRequest } from "./gate";
import { defaultKnobs, type Knobs } from "./knobs";
import { Quota, type QuotaState } from "./quota";
import type { DnsRecordState } from "./records";
import { draftOf, fullName, parseBody, recordFields } from "./validation";
import type { ZoneChange } from "./zone";

/** A record put behind the API's back; what is left out is as a POST without it. */
export interface BehindRecord {
  /** FQDN, or short within the zone. */
  readonly name: string;
  readonly type: string;
  readonly content: string;
  /** Seconds; 1 = automatic. @default 1 */
  readonly ttl?: number;
  readonly proxied?: boolean;
}

/** Switches of the name servers. Without an address they act on all of them. */
export interface DnsSwitches {
  /** Drops every query: the server looks dead. */
  silence(address?: string): void;
  /** Keeps answering what is published now, whatever is committed later. */
  freeze(address?: string): void;
  /** Back to normal. */
  restore(address?: string): void;
  /** Every question asked, oldest first; the last 50,000 at least. */
  queries(): DnsQuery[];
}

/** A running emulator: the API, the name servers behind it, evidence and switches. */
export interface CloudflareLab {
  /** `http://127.0.0.1:PORT/client/v4`, without a slash at the end. */
  readonly apiUrl: string;
  readonly dnsAddress: string;
  /** Every address that answers DNS, `dnsAddress` first; all on `dnsPort`. */
  readonly dnsAddresses: readonly string[];
  readonly dnsPort: number;
  /** A token that may do everything. */
  readonly token: string;
  /** The zones there are now. */
  readonly zones: { readonly name: string; readonly id: string }[];
  readonly clock: Clock;
  readonly knobs: Knobs;
  readonly faults: Faults;
  readonly dns: DnsSwitches;
  /** Every committed change, oldest first. */
  history(): ZoneChange[];
  /** Every request to the API, oldest first. */
  requests(): ApiRequest[];
  /** What the control plane holds for a zone (name or id). */
  records(zone: string): DnsRecordState[];
  /** Behind the API's back: overwrites the first record of this name and type, or creates one. */
  setRecord(zone: string, record: BehindRecord): DnsRecordState;
  /** Behind the API's back: deletes every record of this name (and type); gives how many. */
  deleteRecord(zone: string, name: string, type?: string): number;
  addToken(scope: TokenScope): void;
  /** The quota of a token's owner; with `calls`, after somebody else has used that many. */
  quota(owner?: string, calls?: number): QuotaState;
  /** Ends servers, connections and hanging requests. May be called again. */
  close(): Promise<void>;
}

/** How to start a lab. */
export interface CloudflareLabOptions {
  readonly zones: readonly ZoneSeed[];
  /** 40 to 80 characters of `[0-9A-Za-z_-]`. @default random */
  readonly token?: string;
  /** More tokens, limited ones. */
  readonly tokens?: readonly TokenScope[];
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** 0 = any free one. @default 0 */
  readonly apiPort?: number;
  /** 0 = any free one, the same on all addresses. @default 0 */
  readonly dnsPort?: number;
  /** Further loopback addresses that play name servers of their own. @default none */
  readonly extraDnsAddresses?: readonly string[];
  /** @default the system's */
  readonly clock?: Clock;
  readonly knobs?: Partial<Knobs>;
  /** Gives ids of new zones and records; 32 hex digits. @default random */
  readonly newId?: () => string;
}

/** Starts the emulator; resolves when API and DNS answer. Rejects when a fixed port is taken. */
export async function startCloudflareLab(options: CloudflareLabOptions): Promise<CloudflareLab> {
  const host = options.host ?? "127.0.0.1";
  const clock = options.clock ?? systemClock;
  const knobs = Object.assign(defaultKnobs(), options.knobs);
  const newId = options.newId ?? (() => randomBytes(16).toString("hex"));
  const directory = new Directory(clock);
  const account = new Account({ clock, knobs, newId }, directory);
  for (const seed of options.zones) account.add(seed);

  const token = options.token ?? randomBytes(20).toString("hex");
  const tokens = new Map([{ token }, ...(options.tokens ?? [])].map((t) => [t.token, t]));
  const quota = new Quota(clock, knobs);
  const faults = new Faults();
  const requests: ApiRequest[] = [];
  const queries: DnsQuery[] = [];

  const api = createApi({ clock, knobs, account, tokens, quota, faults, requests });
  const dnsServers = new DnsServers({ clock, knobs, directory, queries });
  const dnsAddresses = [...new Set([host, ...(options.extraDnsAddresses ?? [])])];
  const dnsPort = await dnsServers.listen(dnsAddresses, options.dnsPort ?? 0);
  const http = createAdaptorServer({ fetch: api.fetch }) as Server;
  const apiPort = await listenHttp(http, host, options.apiPort ?? 0).catch(async (error) => {
    await dnsServers.close();
    throw error;
  });

  let closing: Promise<void> | undefined;
  return {
    apiUrl: `http://${host}:${apiPort}/client/v4`,
    ...{ dnsAddress: host, dnsAddresses, dnsPort, token, clock, knobs, faults },
    get zones() {
      return account.zones().map(({ name, id }) => ({ name, id }));
    },
    dns: switchesOf(directory, dnsAddresses, queries),
    history: () => account.history(),
    requests: () => requests.map((r) => ({ ...r })),
    records: (zone) => account.find(zone).records.all(),
    setRecord: (zone, record) => putBehind(account, zone, record, knobs),
    deleteRecord: (zone, name, type) => deleteBehind(account, zone, name, type),
    addToken: (scope) => void tokens.set(scope.token, scope),
    quota: (owner = "user", calls = 0) => {
      if (calls > 0) quota.use(owner, calls);
      return quota.state(owner);
    },
    close: () => (closing ??= closeAll(http, dnsServers, faults)),
  };
}

function switchesOf(
  directory: Directory,
  addresses: readonly string[],
  queries: readonly DnsQuery[],
): DnsSwitches {
  const on = (address: string | undefined, act: (one: string) => void): void =>
    (address === undefined ? addresses : [address]).forEach(act);
  return {
    silence: (address) => on(address, (one) => directory.silence(one)),
    freeze: (address) => on(address, (one) => directory.freeze(one)),
    restore: (address) => on(address, (one) => directory.restore(one)),
    queries: () => [...queries],
  };
}

function putBehind(
  account: Account,
  zone: string,
  record: BehindRecord,
  knobs: Knobs,
): DnsRecordState {
  const { records } = account.find(zone);
  const draft = draftOf(parseBody(recordFields, record), records.name, knobs);
  const old = records.at(draft.name).find((r) => r.type === draft.type);
  return records.transact("behind", (edit) =>
    old ? edit.update(old.id, draft) : edit.create(draft),
  );
}

function deleteBehind(account: Account, zone: string, name: string, type?: string): number {
  const { records } = account.find(zone);
  const doomed = records
    .at(fullName(name, records.name))
    .filter((r) => type === undefined || r.type === type);
  records.transact("behind", (edit) => doomed.forEach((r) => edit.remove(r.id)));
  return doomed.length;
}

async function listenHttp(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function closeAll(http: Server, dns: DnsServers, faults: Faults): Promise<void> {
  faults.clear();
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  http.closeAllConnections();
  await Promise.all([closed, dns.close()]);
}
