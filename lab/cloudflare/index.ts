/**
 * An emulator of the part of Cloudflare's API that a fail-over touches, with the name servers behind it.
 * Traffic stays on loopback; time can be virtual; every change and request is kept as evidence.
 */
export type { ZoneSeed } from "./account";
export type { TokenScope } from "./auth";
export { type Clock, systemClock, VirtualClock } from "./clock";
export type { DnsQuery } from "./dns/message";
export type { FaultAct, FaultHandle, FaultRule, Faults } from "./faults";
export type { ApiRequest } from "./gate";
export type { Knobs } from "./knobs";
export {
  type BehindRecord,
  type CloudflareLab,
  type CloudflareLabOptions,
  type DnsSwitches,
  startCloudflareLab,
} from "./lab";
export type { DnsRecordState } from "./records";
export type { ChangeSource, ZoneChange } from "./zone";
