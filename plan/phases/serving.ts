import { askedNames, pivotName, siteName } from "../desired";
import type { PivotObserved } from "../observed";
import type { Part } from "../step";
import { factsOf, runningAt } from "../newest";
import { rejoinTitle } from "../rejoinWay";
import { servicesOf } from "./handover";
import { follows } from "./ready";
import { rejoinParts } from "./rejoining";
import { awayText } from "../unreadable";
import {
  checkPart,
  epochLines,
  part,
  reached,
  runStep,
  type Context,
  type Draft,
  type Phase,
} from "./context";

/** The phases after the promotion. */

export const serve: Phase = {
  id: "serve",
  steps: (context) => {
    const { to, here } = context;
    return [
      {
        step: runStep({
          id: "serve",
          phase: "serve",
          title: "start the services at the site that serves, in waves",
          why: "Each wave waits for the health of the one before; what is healthy already is left alone.",
          undo: "the next drain stops them",
          parts: [
            part(context, to, "site/services", {
              action: "start",
              kinds: "all",
              ...epochLines(context),
            }),
          ],
          check: [part(context, to, "site/services", { action: "check", kinds: "all" })],
        }),
        has: true,
        effect: servicesOf(context, here, "running"),
        own: true,
      },
    ];
  },
};

function livePivot(pivot: PivotObserved | undefined, zone: string): string {
  switch (pivot?.status) {
    case "site":
      return siteName(pivot.site, zone);
    case "other":
      return pivot.content;
    case "absent":
      return "no record";
    case "unknown":
    case undefined:
      return `unknown: ${pivot?.why ?? "not asked"}`;
  }
}

export const announce: Phase = {
  id: "announce",
  steps: (context) =>
    context.wish.dns.zones.map(({ zone, hostnames }, index): Draft => {
      const pivot = context.seen.dns.pivots[index];
      const there = pivot?.status === "site" && pivot.site === context.to;
      return {
        step: {
          id: `pivot-${zone}`,
          phase: "announce",
          title: `point ${pivotName(zone)} and the ${hostnames.length} names behind it to site ${context.to}`,
          why: "Clients move only when the site they move to accepts writes.",
          undo: "the reverse flip",
          bound: context.wish.limits.stepSeconds,
          needs: [],
          act: {
            kind: "record",
            zone,
            name: pivotName(zone),
            type: "CNAME",
            content: siteName(context.to, zone),
            live: livePivot(pivot, zone),
          },
          check: [],
        },
        has: true,
        effect: there,
        own: true,
        fleeting: pivot?.status === "unknown",
        waiting: context.seen.dns.writable
          ? undefined
          : `DNS pending: ${context.seen.dns.why ?? "records cannot be written now"}`,
      };
    }),
};

function settledHere(context: Context): boolean {
  return (factsOf(context.here)?.settled ?? 0) >= context.decision.epoch;
}

/** Whoever followed the site that was left is led to this one. A follower that stays behind holds up nobody. */
function repointParts(context: Context): readonly Part[] {
  const { to, wish, decision } = context;
  const moves = decision.transition === "switchover" || decision.transition === "failover";
  if (!moves || wish.sites[to].database.followers.length === 0) return [];
  return [part(context, to, "postgres/repoint", epochLines(context), { optional: true })];
}

export const outside: Phase = {
  id: "outside",
  steps: (context) => {
    const { to, from, wish } = context;
    const pivots = context.seen.dns.writable ? "yes" : "pending";
    return [
      {
        step: runStep({
          id: "outside",
          phase: "outside",
          title: "maintenance off; ask the name servers from both sites, as a client would",
          why: "What the operator believes and what the world sees are two things.",
          undo: "nothing to take back",
          parts: [
            part(context, to, "site/maintenance", { value: "off", ...epochLines(context) }),
            part(
              context,
              from,
              "site/maintenance",
              { value: "off", ...epochLines(context) },
              { optional: true },
            ),
            ...repointParts(context),
            ...[to, from].map((site) =>
              part(
                context,
                site,
                "site/outside",
                {
                  servers: wish.dns.servers.join(" "),
                  hostnames: askedNames(wish).join(" "),
                  address: wish.sites[to].addresses.v4,
                },
                { optional: site === from, seen: { value: pivots } },
              ),
            ),
          ],
        }),
        has: true,
        // It only asks, so until the epoch is settled it asks again.
        effect: settledHere(context),
        own: true,
      },
    ];
  },
};

function whyWaiting(context: Context): string | undefined {
  const { from, left, here, wish } = context;
  if (left.reach !== "up") {
    if (left.reach === "unreadable") {
      return `site ${from} is ${awayText(left)}; ${left.hint} Then: pulumi up`;
    }
    return `site ${from} is away (${left.why}); the pair runs without a standby. When it is back: pulumi up`;
  }
  const [mine, theirs] = [left.systemIdentifier, factsOf(here)?.systemIdentifier];
  if (mine !== undefined && theirs !== undefined && mine !== theirs) {
    return `site ${from} holds a database of something else (system identifier ${mine}, not ${theirs}); move ${wish.sites[from].database.dataDirectory} aside, then: pulumi up`;
  }
  return undefined;
}

export const rejoin: Phase = {
  id: "rejoin",
  steps: (context) => {
    const { from } = context;
    const { parts, outlook } = rejoinParts(context, from, "rejoin");
    // A lost site boots with whatever units are enabled there. In a hand-over of its own the drain has stopped them.
    const returned = context.promoted || context.decision.transition === "rejoin";
    const stop = part(
      context,
      from,
      "site/services",
      { action: "stop", kinds: "all", ...epochLines(context) },
      { optional: true, dial: returned && runningAt(context.left).length > 0 },
    );
    return [
      {
        step: runStep({
          id: "rejoin",
          phase: "rejoin",
          title: rejoinTitle(outlook),
          why: "A pair without a standby is one failure away from an outage without an end.",
          undo: "none needed: a standby accepts no writes",
          parts: [...(context.wish.services.length === 0 ? [] : [stop]), ...parts],
          check: [checkPart(context, from, "rejoin")],
        }),
        has: true,
        effect: follows(context, from),
        own: true,
        waiting: whyWaiting(context),
      },
    ];
  },
};

export const settle: Phase = {
  id: "settle",
  steps: (context) => {
    const { to, from, left, decision, here } = context;
    const standbyAway = !reached(left) || whyWaiting(context) !== undefined;
    // At rest the epoch is settled already; what may be missing is the returned site's own note.
    const atRest = decision.transition === "none" || decision.transition === "rejoin";
    const done = [...(atRest ? [] : [here]), ...(standbyAway ? [] : [left])].every(
      (site) => site.reach === "up" && site.settled >= decision.epoch,
    );
    const pending = context.seen.dns.writable ? "no" : "yes";
    return [
      {
        step: runStep({
          id: "settle",
          phase: "settle",
          title: "drop what is left over and record the epoch as settled",
          why: "A forgotten slot fills a disk; an unsettled epoch is taken up again.",
          undo: "nothing to take back",
          parts: [
            // A site that was lost between drain and outside comes back with it on.
            part(
              context,
              from,
              "site/maintenance",
              { value: "off", ...epochLines(context) },
              { optional: true, dial: !standbyAway && factsOf(left)?.maintenance === true },
            ),
            part(context, to, "postgres/settle", epochLines(context), {
              seen: { value: pending },
              beside: true,
            }),
            part(context, from, "postgres/settle", epochLines(context), {
              seen: { value: pending },
              dial: !standbyAway,
            }),
          ],
        }),
        has: true,
        effect: done,
        own: true,
      },
    ];
  },
};
