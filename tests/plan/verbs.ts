import type { Part } from "../../plan/step";
import { EXIT, KINDS, otherSite, SITE_IDS, type EpochRecord, type SiteId } from "../../plan/terms";
import { change, isWritable, streams, type Leave, type SiteWorld, type World } from "./world";

/** What each verb does to the world, as its contract says, and when it refuses. */

export interface Outcome {
  readonly world: World;
  readonly code: number;
}

type Verb = (world: World, part: Part, run: number) => Outcome;

const done = (world: World): Outcome => ({ world, code: EXIT.holds });
const later = (world: World): Outcome => ({ world, code: EXIT.later });
const refused = (world: World): Outcome => ({ world, code: EXIT.refused });

function recordOf(part: Part): EpochRecord {
  const { epoch, from, to, kind } = part.input;
  const site = (id: string | undefined) => SITE_IDS.find((one) => one === id);
  const [left, here, known] = [site(from), site(to), KINDS.find((one) => one === kind)];
  if (left === undefined || here === undefined || known === undefined) {
    throw new Error(`${part.verb} was not told its transition`);
  }
  return { epoch: Number(epoch), from: left, to: here, kind: known };
}

/** The verbs that write: an older run, an older epoch or another record of this epoch ends here. */
function adopting(verb: Verb, first?: (site: SiteWorld, epoch: number) => boolean): Verb {
  return (world, part, run) => {
    const here = world[part.site];
    const record = recordOf(part);
    const known = here.record;
    // Of one number at most one run goes on: the one that came first.
    const rival = Math.floor(run) === Math.floor(here.run) && run !== here.run;
    if (run < here.run || rival || record.epoch < (known?.epoch ?? 0)) return refused(world);
    if (record.epoch === known?.epoch && JSON.stringify(record) !== JSON.stringify(known)) {
      return refused(world);
    }
    if (first?.(here, record.epoch) === true) return refused(world);
    return verb(change(world, part.site, { record, run }), part, run);
  };
}

const fence: Verb = (world, part, run) => {
  const here = world[part.site];
  const peer = otherSite(part.site);
  const token = { epoch: Number(part.input.epoch), run };
  const stopped = { role: "down", signal: true, held: false } as const;
  if (isWritable(here)) {
    // The stop waits until a standby that follows has everything.
    const flushed = streams(world, peer) ? change(world, peer, { behind: false }) : world;
    return done(change(flushed, part.site, { ...stopped, stop: "shut_down", token }));
  }
  if (part.input.value === "dead")
    return here.role === "absent" ? refused(world) : drain(world, part.site, token);
  const clean = here.role === "down" && here.signal && here.stop === "shut_down";
  return clean ? done(change(world, part.site, { token, held: false })) : refused(world);
};

/** The other site fetches what it lacks, if it follows this one and not somebody else's branch. */
function drain(world: World, site: SiteId, token: Leave): Outcome {
  const ended = {
    role: "down",
    signal: true,
    held: false,
    stop: "shut_down_in_recovery",
    token: undefined,
  } as const;
  const peer = otherSite(site);
  const there = world[peer];
  const fetches = there.reach && there.role === "standby" && there.upstream && !there.diverged;
  if (!fetches) return done(change(world, site, ended));
  return done(change(change(world, peer, { behind: false }), site, { ...ended, token }));
}

const fenced: Verb = (world, part, run) => {
  const { role, signal, token } = world[part.site];
  const epoch = Number(part.input.epoch);
  const proven =
    token === undefined ? part.input.value === "lost" : token.run === run && token.epoch === epoch;
  const holds = role === "down" && signal && proven;
  return holds ? done(world) : refused(world);
};

const verify: Verb = (world, part, run) => {
  const here = world[part.site];
  const epoch = Number(part.input.epoch);
  if (here.promoted === epoch) return refused(world);
  if (here.role !== "standby") return isWritable(here) ? refused(world) : later(world);
  if (part.input.value === "accepted") {
    const { reach, token } = world[otherSite(part.site)];
    const drained = reach && token?.run === run && token.epoch === epoch;
    if (!drained && Number(part.input.accept_loss) !== epoch) return refused(world);
  } else if (here.behind || here.diverged) return later(world);
  return done(change(world, part.site, { permit: { epoch, run } }));
};

const primary: Partial<SiteWorld> = {
  ...{ role: "primary", signal: false, held: false, upstream: false, token: undefined },
};

/** The branch of data that lost: what the other site holds beyond the promoted one. */
function promoted(world: World, part: Part): World {
  const here = world[part.site];
  const mine = change(world, part.site, { ...primary, behind: false, diverged: false });
  const other = { diverged: here.behind, exported: false, behind: false };
  return here.role === "standby" ? change(mine, otherSite(part.site), other) : mine;
}

const promote: Verb = (world, part, run) => {
  const here = world[part.site];
  const epoch = Number(part.input.epoch);
  const mark = { promoted: epoch, permit: undefined };
  if (part.input.value === "initial" && here.promoted !== epoch) {
    const fits = here.role === "primary" || here.held;
    return fits ? done(change(world, part.site, { ...primary, ...mark })) : refused(world);
  }
  if (part.input.value === "resume") {
    if (here.role === "absent" || (here.role === "standby" && here.upstream)) return refused(world);
    return done(change(world, part.site, { ...primary, ...mark }));
  }
  if (here.promoted === epoch) {
    if (here.role === "absent") return refused(world);
    return done(promoted(world, part));
  }
  const leave = here.permit;
  if (here.role !== "standby" || leave?.epoch !== epoch || leave.run !== run) return refused(world);
  return done(promoted(change(world, part.site, mark), part));
};

/** Closed by its own guard: opened again, without an epoch. */
const openHeld: Verb = (world, part) => {
  const here = world[part.site];
  if (here.held) return done(change(world, part.site, primary));
  return here.role === "primary" ? done(world) : later(world);
};

const revoke: Verb = (world, part) =>
  done(change(world, part.site, { permit: undefined, held: false }));

/** Danger: judged against the record found, before this run's own is adopted. */
function tooLate(here: SiteWorld): boolean {
  const begun = here.promoted > here.settled && here.promoted === here.record?.epoch;
  return isWritable(here) || begun;
}

const rejoin: Verb = (world, part) => {
  const here = world[part.site];
  const other = world[otherSite(part.site)];
  if (isWritable(here)) return refused(world);
  if (here.role === "absent" || !isWritable(other)) return later(world);
  const standby: Partial<SiteWorld> = {
    ...{ role: "standby", signal: true, held: false, token: undefined, permit: undefined },
  };
  const givenUp = part.input.discard_delta === part.input.delta_epoch;
  if (here.diverged && !givenUp && !here.exported) {
    return later(change(world, part.site, { ...standby, upstream: false }));
  }
  const follows = {
    upstream: true,
    stalled: false,
    behind: false,
    diverged: false,
    exported: false,
  };
  return done(change(world, part.site, { ...standby, ...follows }));
};

const delta: Verb = (world, part) => {
  const here = world[part.site];
  if (isWritable(here)) return refused(world);
  if (here.role === "absent" || !here.diverged) return done(world);
  const quarantined = { role: "standby", signal: true, held: false, upstream: false } as const;
  return done(change(world, part.site, { ...quarantined, exported: true }));
};

const seed: Verb = (world, part) => {
  const here = world[part.site];
  const other = world[otherSite(part.site)];
  if (here.role !== "absent" || here.prepared === undefined) return refused(world);
  if (other.role !== "primary") return later(world);
  return done(
    change(world, part.site, {
      ...{ role: "standby", signal: true, upstream: true, stalled: false, behind: false },
      ...{ diverged: false, exported: false },
    }),
  );
};

const settle: Verb = (world, part) =>
  part.seen?.value === "yes"
    ? later(world)
    : done(change(world, part.site, { settled: Number(part.input.epoch) }));

const isRunning = (world: World, { site }: Part): boolean =>
  isWritable(world[site]) || world[site].role === "standby";

const verbs: Readonly<Record<string, Verb>> = {
  "postgres/check": done,
  "postgres/preflight": (world, part) => (isRunning(world, part) ? done(world) : later(world)),
  "site/install": done,
  "postgres/prepare": (world, part) =>
    done(change(world, part.site, { prepared: part.input.value ?? "" })),
  "postgres/rejoin": (world, part, run) =>
    part.input.value === "join" ? rejoin(world, part, run) : adopting(rejoin)(world, part, run),
  "postgres/seed": adopting(seed),
  "postgres/delta": (world, part, run) =>
    part.input.epoch === undefined ? delta(world, part, run) : adopting(delta)(world, part, run),
  "postgres/fence": adopting(fence),
  "postgres/fenced": fenced,
  "postgres/verify": adopting(verify),
  "postgres/promote": (world, part, run) =>
    part.input.value === "held" ? openHeld(world, part, run) : adopting(promote)(world, part, run),
  "postgres/revoke": adopting(revoke, tooLate),
  "postgres/settle": adopting(settle),
  "site/maintenance": adopting((world, part) =>
    done(change(world, part.site, { maintenance: part.input.value === "on" })),
  ),
  "site/services": adopting((world, part) =>
    done(change(world, part.site, { services: part.input.action === "start" })),
  ),
  "site/witness": (world, part) =>
    world.servers && world.witness?.epoch === Number(part.input.epoch) ? done(world) : later(world),
  "site/outside": (world, part) =>
    part.seen?.value === "pending" || !world.servers || world.pivot !== undefined
      ? done(world)
      : later(world),
};

/** Runs one part; a site that was lost meanwhile cannot be reached. */
export function runPart(world: World, part: Part, run: number): Outcome {
  if (!part.dial) return done(world);
  if (!world[part.site].reach) return { world, code: EXIT.unreached };
  const verb = verbs[part.verb];
  if (verb === undefined) throw new Error(`the model knows no verb ${part.verb}`);
  return verb(world, part, run);
}
