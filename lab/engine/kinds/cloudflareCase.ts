/** Cloudflare's JSON has snake_case names, Pulumi's properties camelCase. */
import { Props, isObject } from "../values";

/** snake_case to camelCase, null dropped, as deep as it goes. */
export function toCamel(value: unknown): unknown {
  return convert(value, (key) => key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()));
}

/** camelCase to snake_case, as deep as it goes. */
export function toSnake(value: unknown): unknown {
  return convert(value, (key) => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));
}

function convert(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => convert(item, rename));
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(kept.map(([key, item]) => [rename(key), convert(item, rename)]));
}

/** The same object with its keys in order: the real client sends them so. */
export function sorted(props: Props): Props {
  return Object.fromEntries(Object.entries(props).sort(([a], [b]) => (a < b ? -1 : 1)));
}
