import type { SiteFacts } from "./observed";

/** LSN text `X/Y` as a number that compares. Undefined for anything else. */
export function lsnNumber(lsn: string | undefined): bigint | undefined {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(lsn ?? "");
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** Bytes from one position to a later one. */
export function lsnDistance(from: string | undefined, to: string | undefined): number | undefined {
  const start = lsnNumber(from);
  const end = lsnNumber(to);
  return start === undefined || end === undefined ? undefined : Number(end - start);
}

/** Where the primary left the given timeline, from its history (`TLI:LSN,...`). */
export function forkOf(primary: SiteFacts, timeline: number): string | undefined {
  return primary.fork
    ?.split(",")
    .map((entry) => entry.split(":"))
    .find(([tli]) => Number(tli) === timeline)?.[1];
}

/**
 * Says how a returned site has gone past the point where the primary left its timeline; nothing where it can follow or
 * where that is not known yet (the rejoin verb looks again, at the site).
 * Danger: a server that has gone past it streams, too, for a moment every few seconds. It asks for the segment from its
 * beginning, which lies before the fork, and gets that on the old timeline.
 */
export function diverged(returned: SiteFacts, primary: SiteFacts | undefined): string | undefined {
  if (primary?.role !== "primary" || returned.role !== "standby") return undefined;
  const { timeline, lsn } = returned;
  if (timeline === undefined || primary.timeline === undefined || timeline >= primary.timeline) {
    return undefined;
  }
  const fork = forkOf(primary, timeline);
  const beyond = lsnDistance(fork, lsn);
  if (beyond === undefined || beyond <= 0) return undefined;
  return `it holds ${beyond} bytes of WAL on timeline ${timeline} past ${String(fork)}, where timeline ${timeline + 1} began`;
}
