/** Pulumi's resource names: urn:pulumi:STACK::PROJECT::PARENT_TYPE$TYPE::NAME. */

/** The type of the root resource. */
export const STACK_TYPE = "pulumi:pulumi:Stack";
const PROVIDER_PREFIX = "pulumi:providers:";

/** Composes the name of a resource; a stack as parent leaves no trace in it. */
export function makeUrn(
  stack: string,
  project: string,
  parent: string | undefined,
  type: string,
  name: string,
): string {
  const above = parent === undefined || parent === "" ? "" : qualifiedType(parent);
  const path = above === "" || above === STACK_TYPE ? type : `${above}$${type}`;
  return `urn:pulumi:${stack}::${project}::${path}::${name}`;
}

/** `standby:index:StandbyPair$command:local:Command` of a URN. */
export function qualifiedType(urn: string): string {
  return urn.split("::")[2] ?? "";
}

/** `command:local:Command` of a URN. */
export function typeOf(urn: string): string {
  return qualifiedType(urn).split("$").pop() ?? "";
}

/** `shop-fence` of a URN. A name may hold "::". */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

export function isProviderType(type: string): boolean {
  return type.startsWith(PROVIDER_PREFIX);
}

/** `pulumi:providers:command` for `command:local:Command`. */
export function providerTypeFor(type: string): string {
  return `${PROVIDER_PREFIX}${type.split(":", 1)[0] ?? ""}`;
}

/** `cloudflare` of `pulumi:providers:cloudflare`. */
export function packageOf(providerType: string): string {
  return providerType.slice(PROVIDER_PREFIX.length);
}

/** Default providers are made by the engine, not by the program; nobody counts them. */
export function isDefaultProvider(urn: string): boolean {
  return isProviderType(typeOf(urn)) && /^default(_|$)/.test(nameOf(urn));
}
