import type { Issue } from "../../plan/desired";
import type { SiteId } from "../../plan/terms";

/**
 * A way to a site, as data. One file a kind. The text is POSIX sh and runs where pulumi runs.
 * Errors travel as exit codes: 255 means that the site was not reached, which is unknown and never down.
 */
export interface Transport {
  readonly kind: string;
  /** Body of a shell function: runs the text in "$1" at the site, standard input attached. May use the folder "$work" and the user id "$uid". */
  readonly enter: (site: SiteId) => string;
  /** What a person types before a command to run it at the site. */
  readonly enterLine: string;
  /** What is wrong with its arguments, so that the pair lists it with everything else. @default nothing */
  readonly issues?: readonly Issue[];
}

/** One single-quoted shell word. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A way that leads nowhere, because its arguments do not fit. The pair refuses before it is ever used. */
export function misfit(kind: string, issues: readonly Issue[]): Transport {
  return { kind, enterLine: "false", enter: () => "return 255", issues };
}
