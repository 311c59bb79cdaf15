import { PHASES } from "../terms";
import type { Phase } from "./context";
import { drain, fence, promote, verify } from "./handover";
import { prepare } from "./prepare";
import { join, preflight, witness } from "./ready";
import { announce, outside, rejoin, serve, settle } from "./serving";

const byId = new Map<string, Phase>(
  [
    preflight,
    prepare,
    join,
    witness,
    drain,
    fence,
    verify,
    promote,
    serve,
    announce,
    outside,
    rejoin,
    settle,
  ].map((phase) => [phase.id, phase]),
);

/** The phases in the one constant order of plan/terms.ts. */
export const phases: readonly Phase[] = PHASES.map((id) => {
  const phase = byId.get(id);
  if (phase === undefined) throw new Error(`phase ${id} has no steps`);
  return phase;
});
