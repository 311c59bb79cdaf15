/**
 * The resource option `ignoreChanges`: at these paths the old inputs are used instead of the new.
 *
 * It has no say in a create: there are no old inputs then, so the new ones run.
 */
import { Props, isObject } from "./values";

type Segment = string | number;

/**
 * The inputs to go on with. A path is `*`, a name, or a path such as `environment.RUN`,
 * `triggers[0]`, `triggers[*]` or `tags["a.b"]`.
 */
export function applyIgnore(before: Props, after: Props, paths: readonly string[]): Props {
  if (paths.includes("*")) return before;
  return paths.reduce((props, path) => reset(before, props, parsePath(path)) as Props, after);
}

/** Whether a differing path is at or under one of `patterns` (as in `replaceOnChanges`). */
export function matches(path: string, patterns: readonly string[]): boolean {
  const segments = parsePath(path);
  return patterns.some((pattern) => {
    const wanted = parsePath(pattern);
    if (wanted.length > segments.length) return wanted.slice(0, segments.length).every(same);
    return wanted.every(same);
    function same(segment: Segment, i: number): boolean {
      return segment === "*" || segment === segments[i];
    }
  });
}

function parsePath(path: string): readonly Segment[] {
  const segments: Segment[] = [];
  for (const match of path.matchAll(/\["([^"]*)"\]|\[(\d+)\]|\[\*\]|([^.[\]]+)/g)) {
    if (match[1] !== undefined) segments.push(match[1]);
    else if (match[2] !== undefined) segments.push(Number(match[2]));
    else segments.push(match[3] ?? "*");
  }
  return segments;
}

function reset(before: unknown, after: unknown, path: readonly Segment[]): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return before;
  if (Array.isArray(before) && Array.isArray(after)) {
    if (head === "*") return rest.length === 0 ? before : after;
    return after.map((item, i) => (i === head ? reset(before[i], item, rest) : item));
  }
  if (!isObject(after) || !isObject(before)) return after;
  if (head === "*") return before;
  const value = reset(before[head], after[head], rest);
  const { [String(head)]: _dropped, ...others } = after;
  return value === undefined ? others : { ...others, [String(head)]: value };
}
