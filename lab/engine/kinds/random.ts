/** The random resources: made once, kept for ever, replaced when an input changes. */
import { randomBytes, randomInt } from "node:crypto";
import { Kind } from "./kind";
import { Props, differences, rootOf } from "../values";

const SETS = {
  lower: "abcdefghijklmnopqrstuvwxyz",
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  numeric: "0123456789",
  special: "!@#$%&*()-_=+[]{}<>:?",
} as const;
type SetName = keyof typeof SETS;

export const randomPassword: Kind = {
  ...replacedOnChange(),
  secrets: ["result", "bcryptHash"],
  plan: withDefaults,
  async create(inputs) {
    const all = withDefaults(inputs);
    // A made-up hash would be a trap: somebody might store it as a credential.
    const bcryptHash = "not made by the lab engine";
    return { id: "none", outputs: { ...all, id: "none", result: draw(all), bcryptHash } };
  },
};

export const randomString: Kind = {
  ...replacedOnChange(),
  secrets: [],
  plan: withDefaults,
  async create(inputs) {
    const all = withDefaults(inputs);
    const result = draw(all);
    return { id: result, outputs: { ...all, id: result, result } };
  },
};

export const randomId: Kind = {
  ...replacedOnChange(),
  secrets: [],
  plan: (inputs) => inputs,
  async create(inputs) {
    const bytes = randomBytes(Number(inputs.byteLength));
    const prefix = typeof inputs.prefix === "string" ? inputs.prefix : "";
    const id = bytes.toString("base64url");
    const outputs = {
      ...inputs,
      id,
      b64Url: prefix + id,
      b64Std: prefix + bytes.toString("base64"),
      hex: prefix + bytes.toString("hex"),
      dec: prefix + BigInt(`0x${bytes.toString("hex")}`).toString(),
    };
    return { id, outputs };
  },
};

function replacedOnChange(): Pick<
  Kind,
  "secretnessCounts" | "check" | "diff" | "update" | "delete"
> {
  return {
    secretnessCounts: false,
    check: (inputs) => inputs,
    diff(before, after) {
      const reasons = [...new Set([...differences(before, after).keys()].map(rootOf))].sort();
      return { reasons, replace: reasons };
    },
    update: async (live) => live.outputs,
    delete: async () => undefined,
  };
}

function withDefaults(inputs: Props): Props {
  const numeric = inputs.numeric ?? inputs.number ?? true;
  const defaults = {
    lower: true,
    upper: true,
    special: true,
    minLower: 0,
    minUpper: 0,
    minNumeric: 0,
    minSpecial: 0,
  };
  return { __meta: '{"schema_version":"3"}', ...defaults, ...inputs, numeric, number: numeric };
}

function draw(all: Props): string {
  const sets = (Object.keys(SETS) as SetName[]).filter((name) => all[name] === true);
  const alphabet = sets.map((name) => charactersOf(name, all)).join("");
  if (alphabet === "") throw new Error("no characters to draw from");
  const least = sets.flatMap((name) =>
    Array.from({ length: minimumOf(name, all) }, () => pick(charactersOf(name, all))),
  );
  const rest = Math.max(0, Number(all.length) - least.length);
  return shuffle([...least, ...Array.from({ length: rest }, () => pick(alphabet))]).join("");
}

function charactersOf(name: SetName, all: Props): string {
  const own = all.overrideSpecial;
  return name === "special" && typeof own === "string" && own !== "" ? own : SETS[name];
}

function minimumOf(name: SetName, all: Props): number {
  return Number(all[`min${name.charAt(0).toUpperCase()}${name.slice(1)}`] ?? 0);
}

function pick(characters: string): string {
  return characters.charAt(randomInt(characters.length));
}

function shuffle(items: string[]): string[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    const moved = items[i] as string;
    items[i] = items[j] as string;
    items[j] = moved;
  }
  return items;
}
