import fc from "fast-check";
import { otherSite, type SiteId } from "../../plan/terms";
import { atRest, lost } from "../plan/worlds";
import { newPair, type World } from "../plan/world";
import {
  idOf,
  RECORD,
  urnOf,
  zoneIdOf,
  type Inputs,
  type Preview,
  type PreviewStep,
  type Scene,
  type State,
} from "./previews";

/** Scenes of all four intents, and single changes that nobody planned. */

const rest: Readonly<Record<SiteId, World>> = { a: atRest("a"), b: atRest("b") };

export const INTENTS = ["none", "flip", "adopt", "edit"] as const;
export type Intent = (typeof INTENTS)[number];

const zones = fc
  .array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 })
  .map((sizes) =>
    sizes.map((size, z) => {
      const zone = `zone${z}.example`;
      const hostnames = Array.from({ length: size }, (_, n) => (n === 0 ? zone : `n${n}.${zone}`));
      return { zone, hostnames };
    }),
  );

const settings = fc.record({
  ttl: fc.constantFrom(30, 60, 120, 300),
  proxied: fc.boolean(),
  aliasTtl: fc.constantFrom(undefined, 60, 3600),
  siteTtl: fc.constantFrom(undefined, 60, 3600),
});

/** A plan of one intent that nothing is wrong with. */
export function sceneOf(intent: Intent): fc.Arbitrary<Scene> {
  return fc
    .record({
      zones,
      dns: settings,
      site: fc.constantFrom<SiteId>("a", "b"),
      pick: fc.nat(),
      kind: fc.nat(),
    })
    .map(({ zones: declared, dns, site, pick, kind }): Scene => {
      const other = otherSite(site);
      const names = declared.flatMap((zone) => zone.hostnames);
      const some = names.filter((_, n) => ((pick >> (n % 16)) & 1) === 1 || n === 0);
      const base = { zones: declared, dns };
      switch (intent) {
        case "none":
          return { ...base, world: rest[site], flags: { activeSite: site } };
        case "flip":
          return kind % 2 === 0
            ? { ...base, world: rest[site], flags: { activeSite: other } }
            : {
                ...base,
                world: lost(rest[site], site),
                flags: { activeSite: other, acceptLoss: 2, acceptUnproven: 2 },
              };
        case "adopt":
          return { ...base, world: newPair(site), flags: { activeSite: site }, adopted: some };
        case "edit":
          return kind % 2 === 0
            ? { ...base, world: newPair(site), flags: { activeSite: site } }
            : { ...base, world: rest[site], flags: { activeSite: site }, fresh: some };
      }
    });
}

type Mutation = (preview: Preview, scene: Scene, pick: number) => boolean;

const firstZone = (scene: Scene) => scene.zones?.[0]?.zone ?? "example.com";

function inputsOf(scene: Scene, more: Partial<Inputs>): Inputs {
  const zone = firstZone(scene);
  return {
    ...{ name: `stray.${zone}`, type: "A", content: "192.0.2.66", ttl: 60, proxied: false },
    zoneId: zoneIdOf(zone),
    ...more,
  };
}

function state(inputs: Inputs, more: Partial<State> = {}): State {
  return { type: RECORD, urn: urnOf(inputs.name), ...more, inputs };
}

function add(preview: Preview, step: Omit<PreviewStep, "urn">, name: string): boolean {
  preview.steps.push({ ...step, urn: urnOf(name) });
  return true;
}

const records = (preview: Preview) =>
  preview.steps.filter((step) => step.newState?.type === RECORD);

/** Changes one field of one record that the plan writes; false where there is none. */
function field(
  change: (inputs: Inputs) => void,
  only: (step: PreviewStep) => boolean = () => true,
): Mutation {
  return (preview, _scene, pick) => {
    const fitting = records(preview).filter(only);
    const inputs = fitting[pick % Math.max(1, fitting.length)]?.newState?.inputs;
    if (inputs === undefined) return false;
    change(inputs);
    return true;
  };
}

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Each gives one change that must be refused, whatever the intent; false where a preview has no place for it. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "a record of somebody else": (preview, scene) => {
    const [before, after] = [inputsOf(scene, {}), inputsOf(scene, { content: "192.0.2.67" })];
    return add(preview, { op: "update", oldState: state(before), newState: state(after) }, "stray");
  },
  "a new record": (preview, scene) =>
    add(preview, { op: "create", newState: state(inputsOf(scene, {})) }, "stray"),
  "a record outside the zones": (preview, scene) =>
    add(
      preview,
      { op: "create", newState: state(inputsOf(scene, { name: "www.elsewhere.test" })) },
      "stray",
    ),
  "a deleted record": (preview, scene) =>
    add(preview, { op: "delete", oldState: state(inputsOf(scene, {})) }, "stray"),
  "a deleted hostname": (preview, scene) => {
    const name = firstZone(scene);
    const old = inputsOf(scene, { name, type: "CNAME", content: `active.${name}` });
    return add(preview, { op: "delete", oldState: state(old) }, name);
  },
  "a replaced record": (preview, scene) => {
    const name = `site-a.${firstZone(scene)}`;
    const one = inputsOf(scene, { name, content: "127.0.0.2" });
    return add(preview, { op: "replace", oldState: state(one), newState: state(one) }, name);
  },
  "an import that is not listed": (preview, scene) => {
    const zone = firstZone(scene);
    const one = inputsOf(scene, { name: `old.${zone}`, type: "CNAME", content: `active.${zone}` });
    const more = { importID: `${zoneIdOf(zone)}/${idOf("old")}` };
    return add(preview, { op: "import", newState: state(one, more) }, "old");
  },
  "a pivot to nowhere": (preview, scene) => {
    const zone = firstZone(scene);
    const of = (content: string) =>
      inputsOf(scene, {
        name: `active.${zone}`,
        type: "CNAME",
        content,
        ttl: Number(scene.dns?.ttl ?? 60),
      });
    const name = `active.${zone}`;
    preview.steps = preview.steps.filter((step) => step.newState?.inputs.name !== name);
    const steps = { oldState: state(of(`site-a.${zone}`)), newState: state(of(`site-c.${zone}`)) };
    return add(preview, { op: "update", ...steps }, name);
  },
  "a replaced password": (preview) => {
    const type = "random:index/randomPassword:RandomPassword";
    const inputs = { length: 40 } as unknown as Inputs;
    const one = { type, urn: "urn:password", inputs };
    preview.steps.push({
      op: "replace",
      urn: "urn:pulumi:dev::web::x::shop-password",
      oldState: one,
      newState: one,
    });
    return true;
  },
  "a change of the zone itself": (preview) => {
    const one = { type: "cloudflare:index/zone:Zone", urn: "urn:zone", inputs: {} as Inputs };
    preview.steps.push({
      op: "update",
      urn: "urn:pulumi:dev::web::x::zone",
      oldState: one,
      newState: one,
    });
    return true;
  },
  "an unknown content": field((inputs) => (inputs.content = UNKNOWN)),
  "an unknown name": field((inputs) => (inputs.name = UNKNOWN)),
  "a secret content": field((inputs) => (inputs.content = "[secret]")),
  "a secret TTL": field((inputs) => Object.assign(inputs, { ttl: "[secret]" })),
  "no proxied": field((inputs) => Object.assign(inputs, { proxied: undefined })),
  "another TTL": field(
    (inputs) => (inputs.ttl += 1),
    ({ op }) => op !== "import",
  ),
  "another proxied": field(
    (inputs) => (inputs.proxied = !inputs.proxied),
    ({ op }) => op !== "import",
  ),
  "another type": field((inputs) => (inputs.type = "MX")),
  "another name": field((inputs) => (inputs.name = `x${inputs.name}`)),
  "another zone": field(
    (inputs) => (inputs.zoneId = "e".repeat(32)),
    ({ op }) => op === "update",
  ),
  "another content": field(
    (inputs) => (inputs.content = "192.0.2.99"),
    ({ op }) => op !== "import",
  ),
  "one more field": field((inputs) => (inputs.comment = "hello")),
  "a write that is missing": (preview) => {
    const at = preview.steps.findIndex(({ newState }) =>
      /^(active\.|_standby)/.test(newState?.inputs.name ?? ""),
    );
    if (at < 0) return false;
    preview.steps.splice(at, 1);
    return true;
  },
  "another epoch in the witness": field(
    (inputs) => (inputs.content = inputs.content.replace(/epoch=\d+/, "epoch=99")),
    ({ newState }) => newState?.inputs.type === "TXT",
  ),
  "another plan in the runbook": (preview) => {
    const book = preview.steps.find((step) => step.newState?.type === "standby:index:Runbook");
    if (book?.newState === undefined) return false;
    const inputs = { plan: JSON.stringify({ digest: "9-ffffffffffff", steps: [] }) };
    book.newState.inputs = inputs as unknown as Inputs;
    return true;
  },
};

/** A hostname among a flip's changes, or a flip's pivot among an edit's: each may be right alone. */
export function mixed(preview: Preview, scene: Scene, intent: Intent): boolean {
  const zone = firstZone(scene);
  if (intent === "flip") {
    const content = `active.${zone}`;
    const one = inputsOf(scene, { name: `n99.${zone}`, type: "CNAME", content });
    return add(preview, { op: "create", newState: state(one) }, `n99.${zone}`);
  }
  if (intent !== "edit" || scene.fresh === undefined) return false;
  const { activeSite } = scene.flags;
  const of = (site: SiteId) =>
    inputsOf(scene, {
      name: `active.${zone}`,
      type: "CNAME",
      content: `site-${site}.${zone}`,
      ttl: Number(scene.dns?.ttl ?? 60),
    });
  const states = { oldState: state(of(activeSite)), newState: state(of(otherSite(activeSite))) };
  return add(preview, { op: "update", ...states }, `active.${zone}`);
}
