import * as pulumi from "@pulumi/pulumi";
import type { Desired } from "../../plan/desired";
import type { Plan } from "../../plan/plan";
import type { RecordAct } from "../../plan/step";
import { claimEpoch, removeClaims, type Claim } from "../../sites/claim";
import { messageOf, type ApiAccess } from "../../sites/cloudflareApi";
import { lookAtPivots, spellPivot, type ZoneId } from "../../sites/pivotLook";
import { plain } from "../given";
import { Refusal } from "../refusal";
import { apiAccess } from "./access";
import type { CloudflareArgs } from "./cloudflare";

/**
 * What the vendor's provider cannot do around its one PUT: claim an epoch, look again just before a pivot is written, and
 * once more after it. The API has no condition on a write, so a run that was paused between look and PUT still writes;
 * that late write is found by the looks that follow, here and in the other runner, and named.
 */

/** Claims the epoch that this plan opens. Rejects with a Refusal: nothing has been announced or stopped by then. */
export async function claim(
  args: CloudflareArgs,
  wish: Desired,
  { epoch }: Pick<Plan, "epoch">,
  id: string,
): Promise<void> {
  const access = apiAccess();
  const [first] = await zonesOf(args);
  if (access === undefined || first === undefined) {
    await pulumi.log.warn(
      `epoch ${epoch} is not claimed: no API token that the program can read; do not run two updates of this pair at once`,
    );
    return;
  }
  const made = await tried(() =>
    claimEpoch(access, { zone: first.zone, zoneId: first.id, pair: wish.name, epoch, id }),
  );
  switch (made.state) {
    case "ours":
      return;
    case "taken":
      throw new Refusal(
        `epoch ${epoch} is claimed by another runner: ${made.name} is ${made.by} since ${made.since}. Nothing was announced and nothing stopped.\nHINT: see whether another update of this pair runs; when it has ended, run pulumi up again. If it is dead and the same refusal comes again: delete ${made.name} at the vendor, then pulumi up.`,
      );
    case "late":
      throw new Refusal(
        `this run opens epoch ${epoch}, but the zone speaks of epoch ${made.epoch} (${made.what}): another runner went ahead. Nothing was announced and nothing stopped.\nHINT: run pulumi up again, it will look anew. If that record is left over from a pair that is gone: delete it at the vendor, then pulumi up.`,
      );
    case "silent":
      throw new Refusal(
        `DNS pending: epoch ${epoch} could not be claimed (${made.why}). Nothing was announced and nothing stopped.\nHINT: run pulumi up again; while the API stays silent it says what can be done without it.`,
      );
  }
}

/** The pair is let go: its claims go too, which no resource holds. What fails is only told. */
export async function unclaim(args: CloudflareArgs, wish: Desired): Promise<void> {
  const access = apiAccess();
  const [first] = await zonesOf(args);
  if (access === undefined || first === undefined) return;
  try {
    await removeClaims(access, { zone: first.zone, zoneId: first.id, pair: wish.name });
  } catch (error) {
    await pulumi.log.warn(
      `the claims of this pair are not removed (${messageOf(error)}); delete the records below _standby.${first.zone} at the vendor`,
    );
  }
}

/** Again after a moment of silence: what a lost answer left behind is read back by the next try. */
async function tried(attempt: () => Promise<Claim>, tries = 3): Promise<Claim> {
  const claim = await attempt();
  if (claim.state !== "silent" || tries === 1) return claim;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return tried(attempt, tries - 1);
}

/**
 * Looks at every pivot and at the newest epoch just before a pivot is written. "keep": the API does not answer, so the
 * provider, which has no deadline, is not sent into it. Rejects with a Refusal.
 */
export async function reread(
  args: CloudflareArgs,
  { epoch, to }: Pick<Plan, "epoch" | "to">,
  act: RecordAct,
): Promise<"write" | "keep"> {
  const access = apiAccess();
  if (access === undefined) return "write";
  const seen = await look(access, args, act.zone);
  if (typeof seen === "string") {
    await pulumi.log.warn(
      `DNS pending: ${act.name} is not written, the API does not answer (${seen}); site ${to} serves by its address. HINT: pulumi up again finishes.`,
    );
    return "keep";
  }
  if (seen.newest.epoch > epoch) throw new Refusal(overtaken(epoch, seen.newest, act.name));
  const [pivot] = seen.pivots;
  if (typeof pivot?.at === "object") {
    throw new Refusal(
      `${spellPivot(pivot)}: somebody changed it since this update looked; it is not written. Site ${to} serves by its address.\nHINT: find out who changed it and why; then pulumi up --refresh.`,
    );
  }
  return "write";
}

const overtaken = (
  epoch: number,
  newest: { readonly epoch: number; readonly what: string },
  name: string,
) =>
  `epoch ${newest.epoch} was opened while this run of epoch ${epoch} was away (${newest.what}): another runner went ahead, and ${name} is not written.\nHINT: let the other runner finish; then run pulumi up here, which looks anew.`;

/** Every pivot, held against what this plan wrote. Rejects with a Refusal that names a late write. */
export async function hold(
  args: CloudflareArgs,
  { epoch, to }: Pick<Plan, "epoch" | "to">,
  when: string,
): Promise<string | undefined> {
  const access = apiAccess();
  if (access === undefined) return undefined;
  const seen = await look(access, args);
  if (typeof seen === "string") return `API not answering (${seen})`;
  const { pivots, newest } = seen;
  const right = pivots.filter((one) => one.at === to);
  if (newest.epoch > epoch) {
    throw new Refusal(
      `late write: ${when} the zone speaks of epoch ${newest.epoch} (${newest.what}), this run was of epoch ${epoch}; ${pivots.map(spellPivot).join(", ")}. Another runner went ahead while this one was away, and this one may have written over it.\nHINT: in the other runner: pulumi up --refresh, which puts its pivots back; then pulumi up here, which looks anew.`,
    );
  }
  if (right.length < pivots.length) {
    const wrong = pivots.filter((one) => one.at !== to).map(spellPivot);
    throw new Refusal(
      `late write: ${when} ${wrong.join(", ")}, but epoch ${epoch} put site ${to} there: another runner, paused since before this epoch, or a hand wrote it. Site ${to} serves by its address.\nHINT: make sure that no other update of this pair runs; then pulumi up --refresh puts it back.`,
    );
  }
  return `API ${right.length}/${pivots.length}`;
}

/** What the API says, or why it says nothing. `only`: the pivot of this zone alone. */
async function look(access: ApiAccess, args: CloudflareArgs, only?: string) {
  try {
    const zones = await zonesOf(args);
    const [first] = zones;
    if (first === undefined) return "no zone is declared";
    const asked = zones.filter(({ zone }) => only === undefined || zone === only);
    return await lookAtPivots(access, first, asked);
  } catch (error) {
    return messageOf(error);
  }
}

async function zonesOf(args: CloudflareArgs): Promise<readonly ZoneId[]> {
  return Promise.all(
    args.zones.map(async ({ zone, zoneId }) => {
      const id = await plain(zoneId);
      return { zone, id: String(id.known ? id.value : "") };
    }),
  );
}
