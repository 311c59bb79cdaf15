import type { Desired } from "./desired";
import { factsOf, writable } from "./newest";
import type { Observed, SiteFacts, SiteObserved } from "./observed";
import type { Refusal } from "./step";
import { SITE_IDS, type EpochRecord, type SiteId, type Transition } from "./terms";
import { awayText, type SiteAway } from "./unreadable";

/** What stops a transition before it is planned: each says what was seen and the exact next act. */

const roleOf = (site: SiteObserved): string => (site.reach === "up" ? site.role : awayText(site));

function position(site: SiteObserved): string {
  return site.reach === "up"
    ? `timeline ${String(site.timeline)}, ${String(site.lsn)}`
    : awayText(site);
}

export function twoWriters(seen: Observed): readonly Refusal[] {
  if (!writable(seen.sites.a) || !writable(seen.sites.b)) return [];
  return [
    {
      code: "two-writers",
      what: `sites a and b both accept writes (a at ${position(seen.sites.a)}, b at ${position(seen.sites.b)})`,
      hint: "stop PostgreSQL by hand at the site whose writes you do not want to keep as the main line, place standby.signal there, keep its data directory, and run pulumi up again.",
    },
  ];
}

export function recordsDiffer(what: string): Refusal {
  return {
    code: "records-differ",
    what,
    hint: "two stacks may drive this pair: compare the witness record and /var/lib/standby on both sites, and remove the wrong one by hand.",
  };
}

/** One that answers and is unreadable is refused by {@link unreadableSites}. */
export function notReached(site: SiteId, seen: SiteAway, more = ""): readonly Refusal[] {
  if (seen.reach === "unreadable") return [];
  return [
    {
      code: "not-reached",
      what: `site ${site} was not reached (${seen.why}). ${more}`.trim(),
      hint: `mend the way to site ${site} and run pulumi up again, or name the other site in activeSite.`,
      later: true,
    },
  ];
}

/**
 * Sites that answer without anybody being able to say what their database is. At rest they are named and stop nothing; else a
 * person mends the way, or says for this epoch that the site that is left accepts no writes.
 */
export function unreadableSites(
  wish: Desired,
  seen: Observed,
  { transition, from, epoch }: { transition: Transition; from: SiteId; epoch: number },
): readonly Refusal[] {
  if (transition === "none" || transition === "rejoin") return [];
  const mayAccept = transition === "failover" || transition === "resume";
  const accepted = mayAccept && wish.acceptUnproven === epoch ? [from] : [];
  return SITE_IDS.filter((site) => !accepted.includes(site)).flatMap((site) => {
    const there = seen.sites[site];
    if (there.reach !== "unreadable") return [];
    return [
      {
        code: "unreadable",
        what: `site ${site} answers, but what its database is cannot be told: ${there.why}. That is neither absent nor down`,
        hint: there.hint,
      },
    ];
  });
}

/** A pair that nothing is recorded of may still have a witness that no server can show now. */
export function witnessUnknown(why: string): Refusal {
  return {
    code: "witness-unknown",
    what: `no site has a record of this pair, and no server answered for the witness (${why}); an older epoch may exist`,
    hint: "run pulumi up again when the name servers answer.",
    later: true,
  };
}

export function noPrimary(wish: Desired, seen: Observed, to: SiteId): readonly Refusal[] {
  const here = seen.sites[to];
  if (here.reach === "up" && (here.role === "primary" || here.held)) return [];
  const clusters = here.reach === "up" ? here.ground.clusters : [];
  const others = clusters.length === 0 ? "" : `; Debian's clusters there: ${clusters.join(", ")}`;
  return [
    {
      code: "no-primary",
      what: `site ${to}: no writable database at ${wish.sites[to].database.dataDirectory} (${roleOf(here)})${others}`,
      hint: `create or start the cluster at site ${to} (initdb, pg_createcluster or a restored backup), then run pulumi up again.`,
    },
  ];
}

export function wishNamesEmptySite(seen: Observed, from: SiteId, to: SiteId): Refusal {
  return {
    code: "wish-names-empty-site",
    what: `activeSite: ${to}, but the database runs at site ${from} and site ${to} is ${roleOf(seen.sites[to])}`,
    hint: `pulumi config set activeSite ${from} and run pulumi up, which seeds site ${to}; then flip.`,
  };
}

export function emptySite(seen: Observed, from: SiteId, to: SiteId): readonly Refusal[] {
  const here = factsOf(seen.sites[to]);
  // A join that was killed has put the data folder aside; the next one takes it up.
  if (here?.role !== "absent" || here.rejoin !== undefined) return [];
  return [
    {
      code: "empty-site",
      what: `site ${to} holds no database yet`,
      hint: `pulumi config set activeSite ${from} and run pulumi up, which seeds site ${to}; then flip.`,
    },
  ];
}

/** A resume promotes without a proof from a site that is not reached; a person says so, for this epoch only. */
export function unprovenResume(
  wish: Desired,
  seen: Observed,
  epoch: number,
  from: SiteId,
): readonly Refusal[] {
  if (seen.sites[from].reach === "up" || wish.acceptUnproven === epoch) return [];
  return [
    {
      code: "unproven-resume",
      what: `site ${from} was asked to take over and is ${awayText(seen.sites[from])}, so nothing proves that it was not promoted; nothing is started (safe hold)`,
      hint: `mend the way to site ${from} and run pulumi up again; or, if you know that it does not accept writes: pulumi config set acceptUnproven ${epoch} && pulumi up --yes --skip-preview`,
      later: true,
    },
  ];
}

/** What a failover's target must be, whatever is accepted. */
export function noStandby(seen: Observed, from: SiteId, to: SiteId): readonly Refusal[] {
  const here = seen.sites[to];
  if (here.reach === "up" && here.role === "standby") return [];
  return [
    {
      code: "no-standby",
      what: `site ${to} cannot take over from site ${from}: its database is ${roleOf(here)}, not a standby`,
      hint: `start the standby at site ${to} (with its standby.signal in place), or restore a backup there; site ${from} is the only copy until then.`,
    },
  ];
}

/** The other site recorded its promotion and does not accept writes yet: it is finished first, then left properly. */
export function promotionBegun(epoch: number, from: SiteId, to: SiteId): Refusal {
  return {
    code: "promotion-begun",
    what: `site ${from} recorded its promotion in epoch ${epoch}, which cannot be withdrawn; site ${to} must not be started beside it`,
    hint: `finish it: pulumi config set activeSite ${from} && pulumi up; then pulumi config set activeSite ${to} && pulumi up goes back.`,
  };
}

/**
 * Promoted in this epoch but not writable now: it may be started again only while no newer epoch can exist elsewhere
 * and nothing else is about to accept writes.
 */
export function mayRestart(
  wish: Desired,
  seen: Observed,
  { epoch, from, to }: EpochRecord,
  open: boolean,
): readonly Refusal[] {
  const here = factsOf(seen.sites[to]);
  const left = factsOf(seen.sites[from]);
  const { witness } = seen.dns;
  if (here?.role === "absent") {
    return [
      {
        code: "data-gone",
        what: `site ${to}: the data directory is empty, though epoch ${epoch} made it the primary`,
        hint: `find the data before anything else; to serve from the standby: pulumi config set activeSite ${from}.`,
      },
    ];
  }
  if (here?.role === "starting" || here?.role === "unclear") return [recovering(to, here)];
  if (left !== undefined && (left.role === "starting" || left.role === "unclear") && !left.signal) {
    return [recovering(from, left)];
  }
  const witnessSays = witness.status === "valid" && witness.record.epoch === epoch;
  const accepted = open && wish.acceptUnproven === epoch;
  if (left !== undefined || witnessSays || accepted) return [];
  return [
    {
      code: "cannot-confirm",
      what: `site ${to} is not writable and epoch ${epoch} cannot be confirmed: site ${from} was not reached and no server answered for the witness with this epoch`,
      hint: `restore DNS or the way to site ${from}, then run pulumi up again; or, if you know that site ${from} does not accept writes: pulumi config set acceptUnproven ${epoch} && pulumi up --yes --skip-preview`,
      later: true,
    },
  ];
}

function recovering(site: SiteId, { role, recoveryAt, recoveryOf, ground }: SiteFacts): Refusal {
  if (role === "starting" && ground.ready) {
    return {
      code: "asked-wrongly",
      what: `site ${site}: PostgreSQL takes connections, but gave no answer to what it was asked`,
      hint: "correct what is said of that site here: port, socketDirectory, superuser, database or pg_hba.conf; then run pulumi up again.",
    };
  }
  const far = recoveryAt === undefined ? "" : `, at ${recoveryAt} of about ${String(recoveryOf)}`;
  return {
    code: "recovering",
    what:
      role === "starting"
        ? `site ${site}: PostgreSQL is still in recovery${far}; it goes on, however long it takes`
        : `site ${site}: PostgreSQL does not run and its control file cannot be read`,
    hint: "wait for it and run pulumi up again.",
    later: true,
  };
}
