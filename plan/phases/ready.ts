import { claimName, firstZone, witnessName } from "../desired";
import { diverged } from "../divergence";
import { slotFacts } from "../followers";
import { factsOf, writable } from "../newest";
import { rejoinTitle } from "../rejoinWay";
import { otherSite, type SiteId } from "../terms";
import type { Observed, SiteObserved } from "../observed";
import type { Part } from "../step";
import {
  epochLines,
  part,
  runStep,
  witnessLines,
  type Context,
  type Draft,
  type Phase,
} from "./context";
import { missing } from "./prepare";
import { rejoinParts } from "./rejoining";

/** The phases before anything stops. They change no data and may run again. */

export const preflight: Phase = {
  id: "preflight",
  steps: (context) => {
    const both = context.decision.transition === "switchover";
    const parts = preflightParts(context);
    return [
      {
        step: runStep({
          id: "preflight",
          phase: "preflight",
          title: both
            ? "test both directions and warm the caches"
            : "test the site that shall serve",
          why: "A flip that cannot end well must not begin; the two checkpoints keep the stop short.",
          undo: "nothing to take back: it changes no data",
          parts,
        }),
        has: context.decision.transition !== "resume",
        effect: false,
        fleeting: true,
      },
    ];
  },
};

function preflightParts(context: Context): readonly Part[] {
  const { from, to, here, left, wish, decision } = context;
  const source = part(context, to, "postgres/preflight", { value: "source" });
  if (decision.transition === "initial") {
    // Closed by its own guard before its first epoch was settled: what follows needs it open.
    const dial = here.reach === "up" && here.held;
    return [part(context, to, "postgres/promote", { value: "held" }, { dial }), source];
  }
  if (decision.transition !== "switchover") return [source];
  return [
    part(
      context,
      from,
      "postgres/preflight",
      { value: "source" },
      {
        gives: ["lsn", ...Object.values(slotFacts(wish, from))],
        dial: runs(left),
        ...lenient(context, "source"),
      },
    ),
    part(
      context,
      to,
      "postgres/preflight",
      { value: "target" },
      {
        take: { value_lsn: "lsn", ...slotFacts(wish, from) },
        dial: runs(left) && runs(here),
        ...lenient(context, "target"),
      },
    ),
  ];
}

/** A site that is down and fenced can hand over, or be made to follow by join; it has nothing to be tested or warmed. */
function runs(site: SiteObserved): boolean {
  return site.reach === "up" && site.role !== "down" && site.role !== "absent";
}

/** What prepare and join are about to mend must not stop the preflight that comes before them. */
function lenient(context: Context, side: "source" | "target"): Partial<Part> {
  const first = missing(context) || (side === "target" && !follows(context, context.to));
  return first ? { seen: { value: `${side}-first` } } : {};
}

/** Streams from the other site, as the site itself and its configuration say. */
export function follows(context: Context, site: SiteId): boolean {
  const facts = factsOf(context.seen.sites[site]);
  const other = otherSite(site);
  const source = context.wish.sites[other].database;
  return (
    facts?.role === "standby" &&
    facts.streaming &&
    diverged(facts, factsOf(context.seen.sites[other])) === undefined &&
    facts.upstream === `${source.host}:${source.port}`
  );
}

export const join: Phase = {
  id: "join",
  steps: (context) => {
    const { to } = context;
    const { parts, outlook } = rejoinParts(context, to, "join");
    const follow = "let the standby follow before anything stops";
    return [
      {
        step: runStep({
          id: "join",
          phase: "join",
          title:
            outlook.way === "follow"
              ? follow
              : `before anything stops: ${rejoinTitle(outlook, `site ${to}`)}`,
          why: "A returned site must have all data before it may take over.",
          undo: "nothing to take back: a standby that follows is what the pair needs anyway",
          parts,
        }),
        has: context.decision.transition === "switchover",
        effect: follows(context, to),
        // While the site that is left still serves, a standby that has stopped following would make the fence a mere outage.
        own: writable(context.left),
      },
    ];
  },
};

/** What the witness must say of this transition, without the signature. */
export function witnessText(context: Context): string {
  const { epoch, kind, from, to } = epochLines(context);
  return `v=1 epoch=${epoch ?? ""} from=${from ?? ""} to=${to ?? ""} kind=${kind ?? ""}`;
}

function liveWitness(seen: Observed): string {
  const { witness } = seen.dns;
  switch (witness.status) {
    case "valid":
      return `v=1 epoch=${witness.record.epoch} from=${witness.record.from} to=${witness.record.to} kind=${witness.record.kind}`;
    case "absent":
      return "no record";
    case "ignored":
      return `ignored: ${witness.why}`;
    case "unknown":
      return `unknown: ${witness.why}`;
  }
}

function witnessRecord(context: Context): Draft {
  const { seen, decision, wish } = context;
  const known = seen.dns.witness.status !== "unknown";
  const written =
    seen.dns.witness.status === "valid" && seen.dns.witness.record.epoch === decision.epoch;
  return {
    step: {
      id: "witness",
      phase: "witness",
      title: `announce epoch ${decision.epoch} in the witness record`,
      why: "From now on no guard lets a second primary start, whatever happens to this run.",
      undo: "none: epochs only grow; the next transition writes the next one",
      bound: wish.limits.stepSeconds,
      needs: [],
      act: {
        kind: "record",
        zone: firstZone(wish),
        name: witnessName(wish),
        type: "TXT",
        content: witnessText(context),
        live: liveWitness(seen),
        // Whoever takes up an epoch shares its target with the run that opened it; there the run ids decide.
        ...(decision.fresh ? { claim: claimName(decision.epoch, firstZone(wish)) } : {}),
      },
      check: [],
    },
    has: true,
    effect: written,
    proves: true,
    own: known,
    fleeting: !known,
    waiting: seen.dns.writable
      ? undefined
      : `DNS pending: ${seen.dns.why ?? "records cannot be written now"}`,
  };
}

function witnessSeen(context: Context): Draft {
  const { seen, from, to } = context;
  const lines = { value: "seen", ...witnessLines(context), ...epochLines(context) };
  return {
    step: runStep({
      id: "seen",
      phase: "witness",
      title: "wait until the sites see the new witness",
      why: "A guard can only obey what it sees.",
      undo: "nothing to take back: it only reads",
      parts: [
        part(context, from, "site/witness", lines, { optional: true, beside: true }),
        // A person has taken upon himself for this epoch that guards may not know of it.
        part(
          context,
          to,
          "site/witness",
          lines,
          context.wish.acceptUnproven === context.decision.epoch ? { optional: true } : {},
        ),
      ],
    }),
    has: true,
    effect: false,
    fleeting: true,
    waiting: seen.dns.writable ? undefined : "DNS pending",
  };
}

export const witness: Phase = {
  id: "witness",
  steps: (context) => [witnessRecord(context), witnessSeen(context)],
};
