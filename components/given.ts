import * as pulumi from "@pulumi/pulumi";

/** What a program hands over, read without trust: types hold only where the program was compiled against them. */
export type Given = Readonly<Record<string, unknown>>;

/** An object as it is; anything else as an empty one, because the schema names what is missing. */
export function given(value: unknown): Given {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Given)
    : {};
}

/** A list as it is; anything else as an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** What is left of an object without these keys. */
export function without(value: Given, keys: readonly string[]): Given {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** A value that may be an output: known now, or not before something else has been made. */
export type Plain = { readonly known: true; readonly value: unknown } | { readonly known: false };

/**
 * The value of an input. In a preview an output of a resource that is still to be made has none: `apply` would then never
 * call back, so what the output says of itself is asked. Rejects with what the output failed with.
 */
export async function plain(input: unknown): Promise<Plain> {
  if (!pulumi.Output.isInstance(input)) return { known: true, value: await input };
  // Part of every output since 1.0, though not of its published type.
  const output = input as unknown as {
    readonly isKnown: Promise<boolean>;
    readonly promise: () => Promise<unknown>;
  };
  const value = await output.promise();
  return (await output.isKnown) ? { known: true, value } : { known: false };
}
