import type { Clock } from "./clock";
import type { Knobs } from "./knobs";
import { problems } from "./problems";

interface Window {
  started: number;
  used: number;
  blockedUntil: number;
}

/** Where an owner stands in the window. */
export interface QuotaState {
  readonly remaining: number;
  /** Whole seconds until the window, or the block, ends. */
  readonly resetSeconds: number;
  readonly blocked: boolean;
}

/**
 * The vendor's limit, taken literally: a window opens with the first call, and the call after the last allowed
 * one blocks every call of the same owner for the length of a window.
 */
export class Quota {
  readonly #clock: Clock;
  readonly #knobs: Knobs;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock, knobs: Knobs) {
    this.#clock = clock;
    this.#knobs = knobs;
  }

  /** Counts `calls` by this owner; true when the last of them is blocked. */
  use(owner: string, calls = 1): boolean {
    const now = this.#clock.now();
    const window = this.#current(owner, now);
    if (window.blockedUntil > now) return true;
    window.used += calls;
    if (window.used <= this.#knobs.rate.limit) return false;
    window.blockedUntil = now + this.#knobs.rate.windowSeconds * 1000;
    return true;
  }

  state(owner: string): QuotaState {
    const { limit, windowSeconds } = this.#knobs.rate;
    const now = this.#clock.now();
    const window = this.#current(owner, now);
    const blocked = window.blockedUntil > now;
    const ends = blocked ? window.blockedUntil : window.started + windowSeconds * 1000;
    const remaining = blocked ? 0 : Math.max(0, limit - window.used);
    return { remaining, resetSeconds: Math.ceil((ends - now) / 1000), blocked };
  }

  /** The headers that go with every answer to this owner. */
  headers(owner: string): Record<string, string> {
    const { limit, windowSeconds, retryAfter } = this.#knobs.rate;
    const state = this.state(owner);
    return {
      Ratelimit: `"default";r=${state.remaining};t=${state.resetSeconds}`,
      "Ratelimit-Policy": `"default";q=${limit};w=${windowSeconds}`,
      ...(state.blocked && retryAfter ? { "Retry-After": String(state.resetSeconds) } : {}),
    };
  }

  /** The 429 of this moment. */
  problem(): ReturnType<typeof problems.throttled> {
    const { code, limit, windowSeconds } = this.#knobs.rate;
    return problems.throttled(code, limit, windowSeconds);
  }

  #current(owner: string, now: number): Window {
    const length = this.#knobs.rate.windowSeconds * 1000;
    const known = this.#windows.get(owner);
    const over = known && (known.blockedUntil > 0 ? known.blockedUntil : known.started + length);
    if (known && over !== undefined && now < over) return known;
    const fresh = { started: now, used: 0, blockedUntil: 0 };
    this.#windows.set(owner, fresh);
    return fresh;
  }
}
