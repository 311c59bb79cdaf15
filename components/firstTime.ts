import * as pulumi from "@pulumi/pulumi";
import { local } from "@pulumi/command";
import { pivotName, witnessName, type Desired } from "../plan/desired";
import type { Observed } from "../plan/observed";
import { UNLOGGED } from "./unlogged";

/**
 * A resource that acts only where the state does not have it: on a new stack, or on one whose state was lost. Danger: with
 * the state lost, every record would be created a second time beside the live one; so it fails first, and names `adopt`.
 */
export function firstTime(
  name: string,
  wish: Desired,
  seen: Observed,
  adopt: boolean,
  parent: pulumi.Resource,
): pulumi.Resource {
  const records = adopt ? [] : liveRecords(wish, seen);
  return new local.Command(
    `${name}-state`,
    {
      create: CREATE,
      environment: { RECORDS: records.join(" ") },
      ...UNLOGGED,
    },
    { parent, ignoreChanges: ["*"] },
  );
}

const CREATE = [
  'test -z "$RECORDS" || {',
  'echo "this stack has no state of the pair, but its records exist: $RECORDS" >&2;',
  'echo "HINT: restore the state (pulumi stack import); or set adopt: true for one update, with activeSite as it is now." >&2;',
  "exit 77; }",
].join(" ");

function liveRecords(wish: Desired, seen: Observed): readonly string[] {
  const { witness, pivots } = seen.dns;
  const announced = witness.status === "valid" || witness.status === "ignored";
  return [
    ...(announced ? [witnessName(wish)] : []),
    ...wish.dns.zones.flatMap(({ zone }, index) => {
      const status = pivots[index]?.status;
      return status === "site" || status === "other" ? [pivotName(zone)] : [];
    }),
  ];
}
