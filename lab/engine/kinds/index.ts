/** The types of resources and functions the lab engine knows. */
import { localCommand } from "./command";
import { dnsRecord } from "./dnsRecord";
import { Invoke, Kind } from "./kind";
import { randomId, randomPassword, randomString } from "./random";
import { getZone, zone } from "./zone";

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["command:local:Command", localCommand],
  ["random:index/randomPassword:RandomPassword", randomPassword],
  ["random:index/randomString:RandomString", randomString],
  ["random:index/randomId:RandomId", randomId],
  ["cloudflare:index/dnsRecord:DnsRecord", dnsRecord],
  ["cloudflare:index/zone:Zone", zone],
]);

const INVOKES: ReadonlyMap<string, Invoke> = new Map([
  ["cloudflare:index/getZone:getZone", getZone],
]);

/** @throws Error naming the type and the way out when the bench does not know it. */
export function kindOf(type: string): Kind {
  const kind = KINDS.get(type);
  if (kind === undefined) throw unknownToTheLab("resources of type", type);
  return kind;
}

/** @throws Error naming the function and the way out when the bench does not know it. */
export function invokeOf(token: string): Invoke {
  const invoke = INVOKES.get(token);
  if (invoke === undefined) throw unknownToTheLab("the function", token);
  return invoke;
}

function unknownToTheLab(what: string, name: string): Error {
  return new Error(
    `the lab engine does not know ${what} ${name}\n` +
      "HINT: install the Pulumi CLI (https://www.pulumi.com/docs/install), which has every provider.",
  );
}
