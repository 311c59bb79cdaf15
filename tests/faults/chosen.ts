import { PHASES } from "../../plan/terms";
import type { Cell } from "./cell";
import { CELLS } from "./cells";

/**
 * An ordinary run: every boundary meets every kind of fault. In the hand-over, where writes could be lost, at both sites and
 * at all moments of a kind; elsewhere sites and moments take turns from row to row. The rest runs with `--all`.
 */
const HAND_OVER = ["fence", "verify", "promote"];

function ordinary(cell: Cell): boolean {
  const { row, fault, transition } = cell;
  const odd = PHASES.indexOf(row) % 2 === 1;
  if (transition === "failover") return !/runner-killed/.test(fault) || lostAndKilled(cell, odd);
  if (transition === "rejoin") return row !== "settle";
  if (fault === "second-update-at-once") return row === "fence";
  if (HAND_OVER.includes(row)) return true;
  if (/reboot|verb-killed|disk-full/.test(fault)) return false;
  if (/^(a-(?!b-)|runner-a-)|runner-killed-during|set-back/.test(fault)) return odd;
  return /^(b-|runner-b-)|runner-killed-before/.test(fault) ? !odd : true;
}

/** A run that is killed while a site is lost: the two kinds of loss and the two moments take turns too. */
function lostAndKilled({ row, fault }: Cell, odd: boolean): boolean {
  if (fault.startsWith("database-dead")) return odd && HAND_OVER.includes(row);
  if (["preflight", "witness", "outside"].includes(row)) return false;
  return fault.endsWith("during") === odd;
}

/** The cells of an ordinary run. */
export const CHOSEN: readonly string[] = CELLS.filter(ordinary).map(({ id }) => id);
