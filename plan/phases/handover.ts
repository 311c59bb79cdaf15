import { ahead } from "../ahead";
import { factsOf } from "../newest";
import type { Part } from "../step";
import type { SiteObserved } from "../observed";
import {
  checkPart,
  epochLines,
  part,
  reached,
  reachedFacts,
  runStep,
  type Context,
  type Phase,
} from "./context";

/**
 * The hand-over. Invariant: fence, then verify, then promote. At no point between them may two sites accept writes,
 * and nothing but these three runs while no site accepts writes.
 */

function drained(context: Context): boolean {
  const { epoch } = context.decision;
  const facts = reachedFacts(context);
  const left = factsOf(context.left);
  return (
    facts.length > 0 &&
    facts.every((one) => one.record?.epoch === epoch && one.maintenance) &&
    (left === undefined || servicesOf(context, context.left, "stopped"))
  );
}

/** All declared services are in this state, as the site itself reports. */
export function servicesOf(
  context: Context,
  site: SiteObserved,
  state: "running" | "stopped",
): boolean {
  if (site.reach !== "up") return false;
  return context.wish.services.every(
    (service) => (site.services[service.name] ?? "stopped") === state,
  );
}

export const drain: Phase = {
  id: "drain",
  steps: (context) => {
    const { from, to } = context;
    const lines = epochLines(context);
    return [
      {
        step: runStep({
          id: "drain",
          phase: "drain",
          title: "maintenance on at both sites; workers, then web stopped at the site that is left",
          why: "Jobs and requests that are cut in the middle are the ones nobody can account for.",
          undo: "services started again and maintenance off, by the step that fails or by the next update",
          parts: [
            part(context, from, "site/maintenance", { value: "on", ...lines }, { beside: true }),
            part(context, to, "site/maintenance", { value: "on", ...lines }),
            part(context, from, "site/services", { action: "stop", kinds: "all", ...lines }),
          ],
        }),
        has: isOneOf(context, "switchover", "failover"),
        effect: drained(context),
        proves: true,
      },
    ];
  },
};

function isOneOf(context: Context, ...kinds: readonly string[]): boolean {
  return kinds.includes(context.decision.transition);
}

function fenceParts(context: Context): readonly Part[] {
  const { from, to, wish } = context;
  const lines = epochLines(context);
  const bound = wish.sites[from].database.stopSeconds * 2 + 20;
  // A lost site is started once more, so that the other one can fetch what it lacks.
  const drains = bound + wish.limits.stepSeconds;
  const older = ahead(context.seen)?.site === to;
  switch (context.decision.transition) {
    case "switchover":
      // Danger: this run's id must be stored at the target before anything stops, also when drain is done already:
      // with it there, no permit of an older run can be used any more, so a fence that is taken back stays alone.
      return [
        part(context, to, "site/maintenance", { value: "on", ...lines }),
        part(
          context,
          from,
          "postgres/fence",
          { value: "stop", ...lines },
          { bound, gives: ["token"] },
        ),
      ];
    case "failover":
      return [
        part(
          context,
          from,
          "postgres/fence",
          { value: "dead", accept_loss: acceptedLoss(context), ...lines },
          { bound: drains, gives: ["token"], ...(older ? { seen: { value: "older" } } : {}) },
        ),
      ];
    case "resume":
      return [part(context, from, "postgres/revoke", lines)];
    case "initial":
    case "none":
    case "rejoin":
      return [];
  }
}

export const fence: Phase = {
  id: "fence",
  steps: (context) => {
    const { wish, left, decision } = context;
    // A site that cannot be asked is given the time its guard is allowed to take. Whether that proves anything is judged
    // before the plan runs (plan/preconditions/lease.ts).
    const away = isOneOf(context, "failover", "resume") && !reached(left);
    return [
      {
        step: runStep({
          id: "fence",
          phase: "fence",
          title:
            decision.transition === "resume"
              ? "withdraw the other site's leave to promote"
              : "make the site that is left unable to accept writes",
          why: "Fence before promote: two writable sites lose acknowledged writes.",
          undo: "revoke the permit at the other site, then start this one again; the failing step does it itself",
          parts: fenceParts(context),
          ...(away ? { wait: wish.guard.bound } : {}),
          ...(decision.transition === "switchover" ? { undoParts: undoParts(context) } : {}),
          check: [checkPart(context, context.from, "fence")],
        }),
        has: isOneOf(context, "switchover", "failover", "resume"),
        effect: false,
        byRun: true,
        fleeting: true,
      },
    ];
  },
};

/** The proof of the fence, to whoever judges it. */
const TOKEN = { token: "token" };

/** What takes a fence back, in the only safe order: first the leave to promote, then the old primary. */
function undoParts(context: Context): readonly Part[] {
  const { from, to } = context;
  const lines = epochLines(context);
  return [
    part(context, to, "postgres/revoke", lines, { take: TOKEN }),
    part(context, from, "postgres/promote", { value: "resume", ...lines }),
    part(context, from, "site/services", { action: "start", kinds: "all", ...lines }),
    part(context, from, "site/maintenance", { value: "off", ...lines }, { optional: true }),
    part(context, to, "site/maintenance", { value: "off", ...lines }, { optional: true }),
  ];
}

/** An acceptance of another epoch is no part of this plan. */
function acceptedLoss({ wish, decision }: Context): string {
  return wish.acceptLoss === decision.epoch ? String(decision.epoch) : "";
}

/** Two looks at once, one at each site: this stands inside the outage. */
function verifyParts(context: Context, handsOver: boolean): readonly Part[] {
  const { from, to } = context;
  const lines = epochLines(context);
  const accepted = acceptedLoss(context);
  const fenced = handsOver ? lines : { value: "lost", ...lines };
  const proof = handsOver
    ? { value: "token", ...lines }
    : { value: "accepted", accept_loss: accepted, ...lines };
  return [
    part(context, from, "postgres/fenced", fenced, {
      ...{ bound: 10, beside: true, plain: true },
      take: TOKEN,
    }),
    part(context, to, "postgres/verify", proof, { plain: true, take: TOKEN }),
  ];
}

export const verify: Phase = {
  id: "verify",
  steps: (context) => {
    const handsOver = context.decision.transition === "switchover";
    return [
      {
        step: runStep({
          id: "verify",
          phase: "verify",
          title: handsOver
            ? "prove that the standby holds every byte the fenced site wrote"
            : "prove that the standby fetched all that the lost site held, or check what was accepted",
          why: handsOver
            ? "A clean stop proves nothing: the last record may never have left the site."
            : "What a lost site still holds is fetched where its host answers; only elsewhere a person says that it may be handed over later.",
          undo: "the step itself revokes the permit and starts the old primary again",
          needs: [{ fact: "token", of: "fence" }],
          parts: verifyParts(context, handsOver),
          ...(handsOver ? { undoParts: undoParts(context) } : {}),
        }),
        has: isOneOf(context, "switchover", "failover"),
        effect: false,
        byRun: true,
        fleeting: true,
      },
    ];
  },
};

export const promote: Phase = {
  id: "promote",
  steps: (context) => {
    const { to, decision, here, wish } = context;
    const value =
      decision.transition === "initial" || decision.transition === "resume"
        ? decision.transition
        : "permit";
    return [
      {
        step: runStep({
          id: "promote",
          phase: "promote",
          title:
            value === "permit"
              ? "promote the standby"
              : "confirm the primary with a write of its own",
          why: "Under its lock, with the permit of this run and epoch: a promotion cannot be withdrawn.",
          undo: "none: from here the only way is forward; going back is a switchover",
          parts: [
            part(
              context,
              to,
              "postgres/promote",
              {
                value,
                ...(decision.transition === "failover"
                  ? { sequence_leap: String(wish.limits.sequenceLeap) }
                  : {}),
                ...epochLines(context),
              },
              { plain: value === "permit" },
            ),
          ],
          check: [checkPart(context, to, "promote")],
        }),
        has: true,
        // Armed is not enough: the next start would be one as a standby. Nor is a primary whose sequences have not leapt.
        effect:
          context.promoted &&
          here.reach === "up" &&
          here.role === "primary" &&
          here.leap !== String(decision.epoch),
        own: true,
      },
    ];
  },
};
