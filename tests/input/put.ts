/** Puts values at paths (`sites.b.region`) of an object of plain data; undefined takes a value away. */
export function put(
  target: Record<string, unknown>,
  changes: Readonly<Record<string, unknown>>,
): void {
  for (const [path, value] of Object.entries(changes)) putAt(target, path.split("."), value);
}

function putAt(at: Record<string, unknown>, [key = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    at[key] = value;
    return;
  }
  at[key] ??= {};
  putAt(at[key] as Record<string, unknown>, rest, value);
}
