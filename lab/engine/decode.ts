/** The protocol's messages, decoded to plain data. */
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { Alias as AliasMessage } from "@pulumi/pulumi/proto/alias_pb";
import { ReadResourceRequest, RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb";
import { Alias, Goal, ReadGoal } from "./goal";
import { Props, isObject } from "./values";

/** A message's properties; null stands for undefined in the protocol and is dropped. */
export function propsOf(struct: Struct | undefined): Props {
  const all = struct?.toJavaScript() ?? {};
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

/** Properties as a message. */
export function structOf(props: Props): Struct {
  return Struct.fromJavaScript(clean(props) as Parameters<typeof Struct.fromJavaScript>[0]);
}

function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => clean(item) ?? null);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [key, clean(item)]));
}

export function goalOf(request: RegisterResourceRequest): Goal {
  return {
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    parent: request.getParent(),
    inputs: propsOf(request.getObject()),
    provider: request.getProvider(),
    version: request.getVersion(),
    dependencies: request.getDependenciesList(),
    propertyDependencies: propertyDependenciesOf(request),
    aliases: [
      ...request.getAliasurnsList().map((urn) => ({ urn })),
      ...request.getAliasesList().map(aliasOf),
    ],
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    importId: request.getImportid(),
    deletedWith: request.getDeletedwith(),
    protect: request.hasProtect() ? request.getProtect() : undefined,
    retainOnDelete: request.hasRetainondelete() ? request.getRetainondelete() : undefined,
    replacementTrigger: request.getReplacementTrigger()?.toJavaScript(),
  };
}

function propertyDependenciesOf(request: RegisterResourceRequest): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  // forEach, because toArray gives the messages' raw fields.
  request.getPropertydependenciesMap().forEach((urns, key) => (found[key] = urns.getUrnsList()));
  return found;
}

export function readGoalOf(request: ReadResourceRequest): ReadGoal {
  return {
    type: request.getType(),
    name: request.getName(),
    id: request.getId(),
    parent: request.getParent(),
    known: propsOf(request.getProperties()),
    provider: request.getProvider(),
    version: request.getVersion(),
    dependencies: request.getDependenciesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
  };
}

function aliasOf(message: AliasMessage): Alias {
  const spec = message.getSpec();
  if (spec === undefined) return { urn: message.getUrn() };
  return {
    name: spec.getName(),
    type: spec.getType(),
    stack: spec.getStack(),
    project: spec.getProject(),
    parent:
      spec.hasNoparent() && spec.getNoparent()
        ? ""
        : spec.hasParenturn()
          ? spec.getParenturn()
          : undefined,
  };
}
