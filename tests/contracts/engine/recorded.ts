/** The recorded scenarios, and how to compare with them: without times, ids and random values. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import * as path from "node:path";
import type { Checkpoint, Op, PreviewDigest, ResourceState } from "../../../lab/engine/engine";
import { FIXTURES } from "./workbench";

/** One folder of tests/fixtures/engine. */
export interface Scenario {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  readonly preview: PreviewDigest;
  readonly previewExit: number;
  readonly upExit: number;
  readonly summary: Readonly<Partial<Record<Op, number>>>;
  readonly checkpoint: Checkpoint;
  readonly calls: readonly string[];
}

export function scenarios(): readonly Scenario[] {
  const folders = readdirSync(FIXTURES).filter((name) => /^\d\d-/.test(name));
  return folders.sort().map(readScenario);
}

function readScenario(name: string): Scenario {
  const text = (file: string): string => readFileSync(path.join(FIXTURES, name, file), "utf8");
  const lines = text("config.txt")
    .split("\n")
    .filter((line) => line !== "");
  const up = text("up.txt");
  const exits = /preview exit (\d+), up exit (\d+)/.exec(up);
  const log = existsSync(path.join(FIXTURES, name, "http.log")) ? text("http.log") : "";
  return {
    name,
    config: Object.fromEntries(lines.map((line) => line.split("=") as [string, string])),
    preview: JSON.parse(text("preview.json")) as PreviewDigest,
    previewExit: Number(exits?.[1]),
    upExit: Number(exits?.[2]),
    summary: summaryOf(up),
    checkpoint: JSON.parse(text("export.json")) as Checkpoint,
    calls: log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/\/[0-9]{32} /, "/ID ")),
  };
}

const WORDS: Readonly<Record<string, Op>> = {
  created: "create",
  updated: "update",
  deleted: "delete",
  replaced: "replace",
  unchanged: "same",
};

function summaryOf(up: string): Partial<Record<Op, number>> {
  const block = up.slice(up.indexOf("Resources:"));
  const found = [...block.matchAll(/(\d+) (created|updated|deleted|replaced|unchanged)/g)];
  return Object.fromEntries(found.map((match) => [WORDS[match[2] ?? ""], Number(match[1])]));
}

const HEAD = ["urn", "type", "custom", "delete", "parent", "protect", "retainOnDelete"];
const LISTS = ["dependencies", "additionalSecretOutputs", "ignoreChanges", "replaceOnChanges"];
const RANDOM = ["SECRET", "result", "bcryptHash", "id", "createdOn", "modifiedOn", "baseUrl"];
// What the providers' bridges keep for themselves.
const PRIVATE = ["__pulumi_raw_state_delta", "__pulumi-go-provider-version"];

/** A resource of a state, ready to be compared. */
export function comparable(state: ResourceState): Record<string, unknown> {
  const provider = state.provider?.split("::").slice(0, -1).join("::");
  const properties = Object.entries(state.propertyDependencies ?? {});
  return {
    ...Object.fromEntries(HEAD.map((key) => [key, state[key]])),
    ...Object.fromEntries(LISTS.map((key) => [key, [...((state[key] as string[]) ?? [])].sort()])),
    propertyDependencies: properties.map(([key, urns]) => [key, [...(urns ?? [])].sort()]).sort(),
    provider,
    hasId: state.id !== undefined,
    inputs: withoutChance(state.inputs ?? {}),
    outputs: withoutChance(state.outputs ?? {}),
  };
}

/** Values without what differs from run to run; that a value is secret stays visible. */
function withoutChance(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutChance);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !PRIVATE.includes(key));
  return Object.fromEntries(
    kept.map(([key, item]) => [key, RANDOM.includes(key) ? sort(item) : withoutChance(item)]),
  );
}

function sort(value: unknown): string {
  const isSecret = typeof value === "object" && value !== null && "plaintext" in value;
  return isSecret ? "<some secret>" : typeof value === "string" ? stringSort(value) : "<other>";
}

function stringSort(value: string): string {
  return ["[secret]", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"].includes(value)
    ? value
    : "<some text>";
}

/** The steps of a preview, ready to be compared; parallel ones have no order. */
export function comparableSteps(digest: PreviewDigest): readonly unknown[] {
  const steps = (digest.steps ?? []).map((step) => ({
    op: step.op,
    urn: step.urn,
    diffReasons: step.diffReasons ?? [],
    replaceReasons: step.replaceReasons ?? [],
    detailedDiff: step.detailedDiff ?? null,
    before: step.oldState === undefined ? undefined : comparable(step.oldState),
    after:
      step.newState === undefined
        ? undefined
        : { ...comparable(step.newState), outputs: undefined },
  }));
  return steps.sort(byUrn);
}

/** The resources of a state, by name; a replaced one comes after its successor. */
export function comparableState(checkpoint: Checkpoint): readonly unknown[] {
  return (checkpoint.deployment.resources ?? []).map(comparable).sort(byUrn);
}

function byUrn(
  a: { urn?: unknown; delete?: unknown },
  b: { urn?: unknown; delete?: unknown },
): number {
  const [left, right] = [
    `${String(a.urn)} ${String(a.delete)}`,
    `${String(b.urn)} ${String(b.delete)}`,
  ];
  return left < right ? -1 : left > right ? 1 : 0;
}
