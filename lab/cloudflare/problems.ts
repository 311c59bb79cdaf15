/** One entry of the `errors` array in the vendor's envelope. */
export interface ApiErrorBody {
  readonly code: number;
  readonly message: string;
  readonly error_chain?: readonly { readonly code: number; readonly message: string }[];
}

/** An answer the API gives instead of doing what was asked: HTTP status and `errors`. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly errors: readonly ApiErrorBody[];
  /** A validation of a record's fields; older API versions wrap these in 1004. */
  readonly validation: boolean;

  constructor(status: number, errors: readonly ApiErrorBody[], validation = false) {
    super(errors.map((e) => `${e.code} ${e.message}`).join("; "));
    this.status = status;
    this.errors = errors;
    this.validation = validation;
  }

  /** The same problem as older API versions word it: 1004 with the real code in `error_chain`. */
  chained(): ApiProblem {
    if (!this.validation) return this;
    const chain = this.errors.map(({ code, message }) => ({ code, message }));
    const wrapped = { code: 1004, message: "DNS Validation Error", error_chain: chain };
    return new ApiProblem(this.status, [wrapped]);
  }
}

const refusal = (status: number, code: number, message: string): ApiProblem =>
  new ApiProblem(status, [{ code, message }]);
const invalid = (code: number, message: string): ApiProblem =>
  new ApiProblem(400, [{ code, message }], true);
const badHeader = (code: number, header: string): ApiProblem =>
  new ApiProblem(400, [
    {
      code: 6003,
      message: "Invalid request headers",
      error_chain: [{ code, message: `Invalid format for ${header} header` }],
    },
  ]);

/**
 * Every refusal of the emulated API, in one table.
 * Texts and statuses last verified 2026-11 against public issue threads; those marked "modelled" have no
 * public source and only need to be plausible.
 */
export const problems = {
  addressOrCnameExists: () =>
    refusal(400, 81053, "An A, AAAA, or CNAME record with that host already exists."),
  cnameExists: () => refusal(400, 81054, "A CNAME record with that host already exists."),
  addressExists: () => refusal(400, 81055, "An A record with that host already exists."),
  nsExists: () => refusal(400, 81056, "NS records with that host already exist."),
  identicalExists: () => refusal(400, 81058, "An identical record already exists."),
  unknownRecord: () => refusal(404, 81044, "Record does not exist."),
  quotaExceeded: () => refusal(400, 81045, "Record quota exceeded."),
  noRoute: (path: string) =>
    new ApiProblem(404, [
      {
        code: 7003,
        message: `Could not route to ${path}, perhaps your object identifier is invalid?`,
      },
      { code: 7000, message: "No route for that URI" },
    ]),
  method: () => refusal(405, 10405, "Method not allowed for this authentication scheme"),
  name: () => invalid(9000, "DNS name is invalid."),
  address4: () => invalid(9005, "Content for A record is invalid. Must be a valid IPv4 address."),
  address6: () =>
    invalid(9006, "Content for AAAA record is invalid. Must be a valid IPv6 address."),
  target: (type: string) => invalid(9007, `Content for ${type} record is invalid.`),
  ttl: (least: number) =>
    invalid(9021, `TTL must be between ${least} and 86400 seconds, or 1 for Automatic.`),
  selfReference: () => invalid(9039, "CNAME content cannot reference itself."),
  proxied: () => invalid(9041, "This DNS record cannot be proxied."),
  /** Modelled. */
  body: (detail: string) => refusal(400, 9207, `Request body is invalid. ${detail}`.trim()),
  zoneExists: (name: string) => refusal(400, 1061, `${name} already exists`),
  noCredentials: () =>
    refusal(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"),
  badBearer: () => badHeader(6111, "Authorization"),
  badKey: () => badHeader(6103, "X-Auth-Key"),
  unknownToken: () => refusal(403, 9109, "Invalid access token"),
  outOfScope: () => refusal(403, 9109, "Unauthorized to access requested resource"),
  readOnly: () => refusal(403, 10000, "Authentication error"),
  throttled: (code: number, limit: number, seconds: number) =>
    refusal(
      429,
      code,
      code === 10100
        ? `More than ${limit} requests per ${seconds} seconds reached. Please wait and consider throttling your request speed`
        : "Please wait and consider throttling your request speed",
    ),
} as const;
