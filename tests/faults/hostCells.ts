import { cutOffCells } from "./cutOff";

const each = (rows: readonly string[], faults: readonly string[]): readonly string[] =>
  rows.flatMap((row) => faults.map((fault) => `switchover/${row}/${fault}`));

/**
 * The cells of a host's fault, which run on hosts of their own too: `npm run faults -- --hosts`. Left out is what knows no host:
 * faults of the DNS API, edited records, a second update, settings and slots of the server. Between two sites whose packets
 * are dropped nothing tells "held up" from "cut", so one of the two is enough.
 */
export const HOST_CELLS: readonly string[] = [
  ...each(["drain", "fence", "verify", "promote", "serve", "rejoin"], ["a-reboot", "b-reboot"]),
  ...each(["drain", "fence", "promote", "rejoin"], ["a-crash", "b-crash"]),
  ...each(["preflight", "fence", "rejoin"], ["a-b-link-cut"]),
  ...each(["drain", "promote"], ["runner-a-cut", "runner-b-cut"]),
  ...each(["drain", "fence", "promote"], ["runner-killed-during"]),
  "switchover/fence/verb-killed-at-signal-placed",
  "switchover/promote/verb-killed-at-permit-consumed",
  "switchover/promote/verb-killed-at-promoted-stored",
  "switchover/rejoin/verb-killed-at-before-follow",
  "switchover/verify/standby-stuck",
  "switchover/drain/a-disk-full",
  "switchover/fence/a-disk-full",
  "switchover/promote/b-disk-full",
  "failover/preflight/host-lost-nothing-accepted",
  "failover/promote/host-lost-runner-killed-before",
  "failover/promote/host-lost-b-reboot",
  "failover/promote/database-dead-runner-killed-before",
  "failover/rejoin/host-lost-returns-under-load",
  "failover/rejoin/database-dead-returns-under-load",
  "failover/rejoin/returns-with-writes-of-its-own-under-load",
  "failover/rejoin/returns-with-a-transaction-across-the-fork",
  "rejoin/rejoin/a-reboot",
  "rejoin/rejoin/b-crash",
  ...cutOffCells.map(({ id }) => id),
];
/** A breakage that must be caught there. */
export const HOST_CONTROLS: readonly string[] = ["control/promote-before-fence"];
