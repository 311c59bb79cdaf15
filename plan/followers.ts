import { z } from "zod";
import type { Desired } from "./desired";
import { factsOf } from "./newest";
import type { Observed, SiteFacts } from "./observed";
import type { Refusal } from "./step";
import type { LogicalSlot, Sender } from "./surroundings";
import type { SiteId } from "./terms";

/** What replicates from the pair's primary besides its standby: backup tools, read replicas, logical consumers. */

export const FOLLOWER_KINDS = ["physical", "archive", "logical"] as const;

// As pg_stat_replication shows it: the server cuts longer names and replaces other characters.
const shown = z
  .string()
  .regex(
    /^[\x20-\x7e]{1,63}$/,
    "must be 1 to 63 printable ASCII characters, as pg_stat_replication shows it",
  );
const command = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\p{Cc}]*$/u, "must be one line without control characters");

export const followersSchema = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(/^[A-Za-z0-9._-]{1,63}$/, "must be made of letters, digits, '.', '_' and '-'"),
      match: z.union(
        [z.strictObject({ applicationName: shown }), z.strictObject({ user: shown })],
        "must be { applicationName: TEXT } or { user: TEXT }",
      ),
      kind: z.enum(FOLLOWER_KINDS),
      slot: z
        .string()
        .regex(/^[a-z0-9_]{1,63}$/, "must be a slot's name: lower-case letters, digits and '_'")
        .optional(),
      repoint: command.optional(),
    }),
  )
  .max(50)
  .superRefine((followers, context) => {
    followers.forEach(({ name, match }, index) => {
      const first = followers.findIndex((one) => one.name === name);
      const issue = (path: string, message: string) =>
        context.addIssue({ code: "custom", path: [index, path], message });
      if (first !== index) issue("name", "used twice; each must be of its own");
      if ("applicationName" in match && /^standby_/.test(match.applicationName)) {
        issue("match", "application names that begin with standby_ are the pair's own");
      }
    });
  });
export type Follower = z.infer<typeof followersSchema>[number];

/** What the verbs are told of them, in this order. */
export function followerLines(wish: Desired, site: SiteId): readonly string[] {
  return wish.sites[site].database.followers.flatMap((one) => [
    `follower=${one.name} ${one.kind}`,
    "applicationName" in one.match
      ? `follower_app=${one.match.applicationName}`
      : `follower_user=${one.match.user}`,
    ...(one.slot === undefined ? [] : [`follower_slot=${one.slot}`]),
    ...(one.repoint === undefined ? [] : [`follower_repoint=${one.repoint}`]),
  ]);
}

/** By which slots they read at the site that is left: the other one makes these anew. */
export function slotFacts(wish: Desired, from: SiteId): Readonly<Record<string, string>> {
  const { followers } = wish.sites[from].database;
  return followers.length === 0 ? {} : { follower_slots: "follower_slots" };
}

/** Replication connections that nobody declared: any of them could hold up the stop, and none would be told where to go. */
export function strangers(wish: Desired, site: SiteId, facts: SiteFacts): readonly Refusal[] {
  const unknown = facts.senders.filter((sender) => !isDeclared(wish, site, sender));
  const untold = facts.foreignSenders - facts.senders.length;
  return [
    ...unknown.map((sender) => refusalOf(site, sender)),
    ...(untold <= 0
      ? []
      : [
          {
            code: "foreign-walsender",
            what: `site ${site}: ${untold} more replication connections are not of this pair`,
            hint: "declare or end them (SELECT pid, application_name FROM pg_stat_replication), then run pulumi up again.",
          },
        ]),
  ];
}

function isDeclared(wish: Desired, site: SiteId, sender: Sender): boolean {
  return wish.sites[site].database.followers.some(({ match }) =>
    "applicationName" in match
      ? match.applicationName === sender.application
      : match.user === sender.user,
  );
}

function refusalOf(site: SiteId, sender: Sender): Refusal {
  const { pid, application, user, address, slot, state } = sender;
  const through = slot === undefined ? "without a slot" : `slot ${slot}`;
  const from = address === "" ? "by the socket" : `from ${address}`;
  const what = `site ${site}: ${JSON.stringify(application)} (user ${user}, ${through}, ${from}, ${state}) replicates from it and is not of this pair; it can hold up the stop`;
  const end = `SELECT pg_terminate_backend(${pid})`;
  if (state === "backup") {
    return {
      code: "foreign-walsender",
      what: `${what}: a base backup is being taken`,
      hint: `wait for its end, or end it (${end}), then run pulumi up again.`,
      later: true,
    };
  }
  return {
    code: "foreign-walsender",
    what,
    hint: `add to database.postgres.followers: ${declaration(sender)}, with repoint: "COMMAND" if one can lead it to the other site; or stop it and end it (${end}); then run pulumi up again.`,
  };
}

/** The line to add. What the other end calls itself says what it is; a person corrects it. */
function declaration(sender: Sender): string {
  const { application, user, slot, type } = sender;
  const match = application === "" ? { user } : { applicationName: application };
  const wal = /receivewal|receive_wal|barman|wal-?g|archive/i.test(application);
  const kind = type === "logical" ? "logical" : wal ? "archive" : "physical";
  const name = (application === "" ? user : application).replaceAll(/[^A-Za-z0-9._-]+/g, "-");
  const at = slot === undefined ? "" : `, slot: ${JSON.stringify(slot)}`;
  const by = Object.entries(match).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `{ name: ${JSON.stringify(name)}, match: { ${by.join()} }, kind: "${kind}"${at} }`;
}

/** Logical slots that the site which takes over does not have: named before anything stops. */
export function startingAnew(seen: Observed, from: SiteId, to: SiteId): readonly string[] {
  const here = factsOf(seen.sites[to]);
  const slots = factsOf(seen.sites[from])?.logicalSlots ?? [];
  return slots
    .filter(
      (slot) => here?.logicalSlots.some((one) => one.name === slot.name && one.synced) !== true,
    )
    .map((slot) => anewText(slot, from, to, here?.version ?? 0));
}

function anewText(slot: LogicalSlot, from: SiteId, to: SiteId, version: number): string {
  const start = `logical slot ${slot.name} (${slot.plugin}) of site ${from} starts anew at site ${to}: its consumer needs a new slot and a new snapshot there`;
  if (version < 17) return start;
  return slot.failover
    ? `${start}; it is a failover slot, but site ${to} has not synchronised it: set sync_replication_slots = on and hot_standby_feedback = on there`
    : `${start}; made with failover => true, and with sync_replication_slots = on and hot_standby_feedback = on at both sites, it would be kept in step`;
}
