import { diverged, forkOf, lsnDistance } from "./divergence";
import type { SiteFacts, SiteObserved } from "./observed";

/** How the other site becomes a standby: it goes on, or its data is mended, copied anew, or copied for the first time. */
export type RejoinWay = "follow" | "rewind" | "reseed" | "seed";

/** What a rejoin is about to do. `bytes` is what travels at least; `seconds` what that takes at {@link COPY_RATE}. */
export interface Outlook {
  readonly way: RejoinWay;
  readonly bytes?: number;
  readonly seconds?: number;
  /** Bytes of a whole copy, should one turn out to be needed. */
  readonly copyBytes?: number;
}

/** Bytes a second that the estimate takes for granted. The step's facts say what it really was. */
const COPY_RATE = 50_000_000;

/**
 * What is to be expected from what was seen. The verb decides at the site itself: a rewind that turns out to be impossible
 * becomes a reseed, and so does a standby whose WAL the primary no longer has.
 */
export function rejoinOutlook(returned: SiteObserved, primary: SiteFacts | undefined): Outlook {
  const size = primary?.dataSize;
  return { ...expected(returned, primary), ...(size === undefined ? {} : { copyBytes: size }) };
}

function expected(returned: SiteObserved, primary: SiteFacts | undefined): Outlook {
  if (returned.reach !== "up") return { way: "follow" };
  const copy = sized(primary?.dataSize);
  if (returned.rejoin !== undefined) {
    // Complete but for its name, or put aside to be recovered: nothing has been overwritten.
    return /^(ready|recover)/.test(returned.rejoin)
      ? { way: "follow" }
      : { way: "reseed", ...copy };
  }
  if (returned.role === "absent") return { way: "seed", ...copy };
  if (diverged(returned, primary) === undefined) return { way: "follow" };
  const { wal_log_hints: hints, data_checksums: checksums } = returned.settings;
  if (hints !== "on" && checksums !== "on") return { way: "reseed", ...copy };
  const fork = primary === undefined ? undefined : forkOf(primary, returned.timeline ?? 0);
  return { way: "rewind", ...sized(lsnDistance(fork, returned.lsn)) };
}

function sized(bytes: number | undefined): Partial<Outlook> {
  return bytes === undefined ? {} : { bytes, seconds: 2 + Math.ceil(bytes / COPY_RATE) };
}

/** The step's title: which way, how much, how long. */
export function rejoinTitle({ way, bytes, seconds }: Outlook, who = "the other site"): string {
  const size =
    bytes === undefined || seconds === undefined
      ? ""
      : `: ${way === "rewind" ? "at least " : ""}${megabytes(bytes)} MB, about ${seconds} s`;
  switch (way) {
    case "follow":
      return `make ${who} the standby`;
    case "seed":
      return `copy the database to ${who}${size}`;
    case "rewind":
      return `rewind the data of ${who} to where its primary left it, then let it follow${size}`;
    case "reseed":
      return `copy the database to ${who} anew${size}`;
  }
}

const megabytes = (bytes: number) => Math.max(1, Math.round(bytes / 1_000_000));
