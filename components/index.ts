export { StandbyPair, type StandbyPairData } from "./standbyPair";
export type {
  GuardArgs,
  LimitArgs,
  PostgresArgs,
  ServiceArgs,
  SiteArgs,
  StandbyPairArgs,
} from "./args";
export type { CloudflareArgs, CloudflareZoneArgs } from "./dns/cloudflare";
export { Refusal } from "./refusal";
export { ssh, type SshArgs } from "../sites/transports/ssh";
export { local, type LocalArgs } from "../sites/transports/local";
export type { Transport } from "../sites/transports/transport";
