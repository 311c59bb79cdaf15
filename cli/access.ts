import { CLOUDFLARE_API, type ApiAccess } from "../sites/cloudflareApi";

/** The API and its token, from the variables that the provider reads too. Throws when there is no token. */
export function accessFromEnvironment(): ApiAccess {
  const token = process.env.CLOUDFLARE_API_TOKEN;
  if (token === undefined || token === "") {
    throw new Error(
      "CLOUDFLARE_API_TOKEN: missing\nHINT: export it; a token that may read the zone's DNS is enough to look.",
    );
  }
  return { base: process.env.CLOUDFLARE_BASE_URL ?? CLOUDFLARE_API, token };
}
