import { problems } from "./problems";

/** What a token may do. */
export interface TokenScope {
  /** 40 to 80 characters of `[0-9A-Za-z_-]`. */
  readonly token: string;
  /** Zone names it is limited to. @default all */
  readonly zones?: readonly string[];
  /** Refuses every method but GET. @default false */
  readonly readOnly?: boolean;
  /** Whose quota it uses: tokens of one owner share 1,200 calls. @default "user" */
  readonly owner?: string;
}

/** The token of a request, by its headers. Throws 6003, 9106 or 9109. */
export function authenticate(
  header: (name: string) => string | undefined,
  tokens: ReadonlyMap<string, TokenScope>,
): TokenScope {
  const authorization = header("authorization");
  if (authorization === undefined) {
    if (header("x-auth-key") === undefined) throw problems.noCredentials();
    // Global keys are not emulated: whatever its form, the lab has none to compare with.
    throw problems.badKey();
  }
  const token = /^Bearer ([0-9A-Za-z_-]{40,80})$/i.exec(authorization)?.[1];
  if (token === undefined) throw problems.badBearer();
  const scope = tokens.get(token);
  if (!scope) throw problems.unknownToken();
  return scope;
}

/** Throws unless the token may use this method on this zone (undefined: on the account). */
export function authorize(scope: TokenScope, method: string, zone: string | undefined): void {
  if (zone !== undefined && !sees(scope, zone)) throw problems.outOfScope();
  if (scope.readOnly && method !== "GET") throw problems.readOnly();
}

/** Whether a zone shows up in this token's lists. */
export function sees(scope: TokenScope, zone: string): boolean {
  return scope.zones === undefined || scope.zones.includes(zone);
}
