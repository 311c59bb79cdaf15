/** A request as fault rules see it. */
export interface FaultTarget {
  readonly method: string;
  /** Without the `/client/v4` prefix and without the query. */
  readonly path: string;
  /** The body as it was sent. */
  readonly body: string;
}

/** What happens instead of, before or after the ordinary handling. */
export type FaultAct =
  /** Answers with this status and code; nothing is committed. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly code: number;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Never answers; ends with the lab, with the client, or when the rule is removed. */
  | { readonly kind: "hang" }
  /** Cuts the connection; nothing is committed. */
  | { readonly kind: "dropBeforeCommit" }
  /** Commits, then cuts the connection: the answer is lost. */
  | { readonly kind: "commitThenDrop" }
  /** 200 with success:false; nothing is committed. */
  | { readonly kind: "lie"; readonly code?: number; readonly message?: string }
  /** Waits `ms` of the lab's clock, then goes on as usual. */
  | { readonly kind: "delay"; readonly ms: number };

/** Which requests a fault strikes; everything left out matches. */
export interface FaultRule {
  readonly method?: string;
  readonly path?: string | RegExp;
  readonly body?: string | RegExp;
  /** Anything else. */
  readonly when?: (request: FaultTarget) => boolean;
  /** Matching requests to let pass first. @default 0 */
  readonly skip?: number;
  /** How many to strike after that. @default all */
  readonly times?: number;
  readonly act: FaultAct;
}

/** A rule in force. */
export interface FaultHandle {
  /** How many requests it struck so far. */
  readonly hits: number;
  /** Takes it back and releases what hangs on it. */
  remove(): void;
}

/** One struck request: the act, and a signal that ends a hang. */
export interface Strike {
  readonly act: FaultAct;
  readonly released: AbortSignal;
}

interface ActiveRule {
  readonly rule: FaultRule;
  readonly release: AbortController;
  seen: number;
  hits: number;
}

/** The lab's fault switchboard; the first matching rule wins. */
export class Faults {
  #rules: ActiveRule[] = [];

  add(rule: FaultRule): FaultHandle {
    const active: ActiveRule = { rule, release: new AbortController(), seen: 0, hits: 0 };
    this.#rules.push(active);
    return {
      get hits() {
        return active.hits;
      },
      remove: () => {
        this.#rules = this.#rules.filter((r) => r !== active);
        active.release.abort();
      },
    };
  }

  /** Takes back every rule. */
  clear(): void {
    const rules = this.#rules;
    this.#rules = [];
    for (const { release } of rules) release.abort();
  }

  /** The fault that strikes this request, if any; counts it. */
  strike(request: FaultTarget): Strike | undefined {
    for (const active of this.#rules) {
      const { rule } = active;
      if (!matches(rule, request)) continue;
      active.seen += 1;
      const turn = active.seen - (rule.skip ?? 0);
      if (turn < 1 || turn > (rule.times ?? Infinity)) continue;
      active.hits += 1;
      return { act: rule.act, released: active.release.signal };
    }
    return undefined;
  }
}

function matches(rule: FaultRule, request: FaultTarget): boolean {
  if (rule.method !== undefined && rule.method.toUpperCase() !== request.method) return false;
  if (!holds(rule.path, request.path) || !holds(rule.body, request.body)) return false;
  return rule.when?.(request) ?? true;
}

function holds(pattern: string | RegExp | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === "string" ? text.includes(pattern) : pattern.test(text);
}
