import type * as pulumi from "@pulumi/pulumi";
import { local } from "@pulumi/command";
import { UNLOGGED } from "./unlogged";

/**
 * What tells this stack's claim of an epoch from every other's: drawn once an epoch and kept in the stack's state, so that
 * an update that was killed finds its own claim again. A copy of the state draws another one.
 */
export function epochClaim(
  name: string,
  { epoch, quiet }: { readonly epoch: number; readonly quiet: boolean },
  parent: pulumi.Resource,
): local.Command {
  return new local.Command(
    `${name}-claim`,
    {
      create: "od -An -N8 -tx1 /dev/urandom | tr -d ' \\n'",
      environment: { EPOCH: String(epoch) },
      ...UNLOGGED,
    },
    { parent, ...(quiet ? { ignoreChanges: ["*"] } : {}) },
  );
}
