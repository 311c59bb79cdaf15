/**
 * Property values as the resource monitor's protocol carries them: JSON, where an object with the
 * signature key is a secret and one fixed string means "not known yet".
 *
 * The state file has the same values, except that a secret is `plaintext`: JSON text of the value
 * (the `--show-secrets` form). Inside the engine only the protocol's form exists.
 */

/** An object of property values. */
export type Props = Readonly<Record<string, unknown>>;

/** The key that marks an object as something else than an object. */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";
/** The signature of a secret. */
export const SECRET = "1b47061264138c4ac30d75fd1eb44270";
/** Stands for a value that only the update itself will know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Whether a value is an object of properties, secret or not. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is marked as secret at its outside. */
export function isSecret(value: unknown): value is { value: unknown } {
  return isObject(value) && value[SIGNATURE] === SECRET;
}

/** Marks a value as secret; a secret stays as it is. */
export function secret(value: unknown): unknown {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

/** Rebuilds a value bottom up; `change` sees each value before its parts are visited. */
function rebuild(
  value: unknown,
  change: (value: unknown) => { done: unknown } | undefined,
): unknown {
  const changed = change(value);
  if (changed !== undefined) return changed.done;
  if (Array.isArray(value)) return value.map((item) => rebuild(item, change));
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, rebuild(item, change)]));
}

function rebuildProps(
  props: Props,
  change: (value: unknown) => { done: unknown } | undefined,
): Props {
  return Object.fromEntries(
    Object.entries(props)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, rebuild(item, change)]),
  );
}

/** The same values without any secret marks. */
export function strip(value: unknown): unknown {
  return rebuild(value, (item) => (isSecret(item) ? { done: strip(item.value) } : undefined));
}

/** As `strip`, for an object. */
export function stripProps(props: Props): Props {
  return Object.fromEntries(Object.entries(props).map(([key, item]) => [key, strip(item)]));
}

/** For eyes: every secret is the text "[secret]". */
export function blind(props: Props): Props {
  return rebuildProps(props, (item) => (isSecret(item) ? { done: "[secret]" } : undefined));
}

/** The form of the state file. */
export function toState(props: Props): Props {
  return rebuildProps(props, (item) =>
    isSecret(item)
      ? { done: { [SIGNATURE]: SECRET, plaintext: JSON.stringify(strip(item.value)) } }
      : undefined,
  );
}

/**
 * Reads the form of the state file.
 *
 * @throws Error when a secret is encrypted: this engine has no key.
 */
export function fromState(props: Props): Props {
  return rebuildProps(props, (item) => {
    if (!isSecret(item)) return undefined;
    const { plaintext } = item as { plaintext?: unknown };
    if (typeof plaintext !== "string") {
      throw new Error(
        "the state has an encrypted secret\nHINT: export it with pulumi stack export --show-secrets.",
      );
    }
    return { done: secret(JSON.parse(plaintext)) };
  });
}

/** Whether any part of a value is not known yet. */
export function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return isObject(value) && Object.values(value).some(hasUnknown);
}

/** Deep equality; secretness counts, and so do keys, but not their order. */
export function equal(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right)) return false;
    return left.length === right.length && left.every((item, i) => equal(item, right[i]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => equal(left[key], right[key]));
}

/** What happened to one path of an object. */
export type Kind = "add" | "update" | "delete";

/** The differing leaves as `environment.RUN` or `triggers[0]`, each with what happened to it. */
export function differences(before: Props, after: Props): ReadonlyMap<string, Kind> {
  const found = new Map<string, Kind>();
  compare("", before, after, found);
  return found;
}

function compare(path: string, before: unknown, after: unknown, found: Map<string, Kind>): void {
  if (equal(before, after)) return;
  if (before === undefined) found.set(path, "add");
  else if (after === undefined) found.set(path, "delete");
  else if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    for (let i = 0; i < length; i++) compare(`${path}[${i}]`, before[i], after[i], found);
  } else if (isPlain(before) && isPlain(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(path === "" ? key : `${path}.${key}`, before[key], after[key], found);
    }
  } else found.set(path, "update");
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !(SIGNATURE in value);
}

/** The first name of a path: `environment` of `environment.RUN`. */
export function rootOf(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

/** Puts secret marks back on outputs that merely repeat an input, and on the named ones. */
export function markSecrets(outputs: Props, inputs: Props, names: readonly string[]): Props {
  return Object.fromEntries(
    Object.entries(outputs).map(([key, value]) => {
      if (names.includes(key)) return [key, secret(value)];
      const input = inputs[key];
      return [key, input !== undefined && equal(strip(input), value) ? input : value];
    }),
  );
}
