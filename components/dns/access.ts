import * as pulumi from "@pulumi/pulumi";
import { CLOUDFLARE_API, type ApiAccess } from "../../sites/cloudflareApi";

/** The API as the provider's own configuration names it; nothing where no token can be read. */
export function apiAccess(): ApiAccess | undefined {
  const config = new pulumi.Config("cloudflare");
  const token = config.get("apiToken") ?? process.env.CLOUDFLARE_API_TOKEN;
  const base = config.get("baseUrl") ?? process.env.CLOUDFLARE_BASE_URL ?? CLOUDFLARE_API;
  return token === undefined ? undefined : { base, token };
}
