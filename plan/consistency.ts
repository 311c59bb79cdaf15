import { z } from "zod";
import type { Issue } from "./desired";
import { SITE_IDS } from "./terms";

/**
 * What must hold between values that each fit by themselves. Judged on the raw input, so that a wrong TTL does not hide
 * a wrong address: whoever corrects the one sees the other at once.
 */

const text = z.string().optional().catch(undefined);
const site = z
  .looseObject({
    provider: text,
    region: text,
    addresses: z.looseObject({ v4: text, v6: text }).catch({ v4: undefined, v6: undefined }),
  })
  .optional()
  .catch(undefined);
const named = z.array(
  z.looseObject({ name: text, id: text }).catch({ name: undefined, id: undefined }),
);
const zone = z
  .looseObject({ zone: text, hostnames: z.array(text).catch([]) })
  .catch({ zone: undefined, hostnames: [] });
const looseSchema = z.looseObject({
  sites: z.looseObject({ a: site, b: site }).catch({ a: undefined, b: undefined }),
  services: named.catch([]),
  witnessKeys: named.catch([]),
  dns: z.looseObject({ zones: z.array(zone).catch([]) }).catch({ zones: [] }),
});
type Loose = z.infer<typeof looseSchema>;

/** Every contradiction between values. Values of a wrong type are left to the schema. */
export function inconsistencies(input: unknown): readonly Issue[] {
  const parsed = looseSchema.safeParse(input);
  if (!parsed.success) return [];
  const loose = parsed.data;
  return [
    ...places(loose),
    ...hostnames(loose),
    ...twice(
      loose.dns.zones.map((one) => one.zone),
      (index) => `dns.zones.${index}.zone`,
    ),
    ...twice(
      loose.services.map((one) => one.name),
      (index) => `services.${index}.name`,
    ),
    ...twice(
      loose.witnessKeys.map((one) => one.id),
      (index) => `witnessKeys.${index}.id`,
    ),
  ];
}

function places({ sites: { a, b } }: Loose): readonly Issue[] {
  if (a === undefined || b === undefined) return [];
  const issues: Issue[] = [];
  if (a.provider !== undefined && a.provider === b.provider && a.region === b.region) {
    issues.push({
      path: "sites.b.region",
      message: `${JSON.stringify(b.region)}: provider ${b.provider} and region ${String(b.region)} are those of site a too; one outage would take both. Choose another provider and region`,
    });
  }
  for (const family of ["v4", "v6"] as const) {
    if (a.addresses[family] !== undefined && a.addresses[family] === b.addresses[family]) {
      issues.push({
        path: `sites.b.addresses.${family}`,
        message: `${JSON.stringify(b.addresses[family])}: it is site a's address too; each site needs its own`,
      });
    }
  }
  if ((a.addresses.v6 === undefined) !== (b.addresses.v6 === undefined)) {
    issues.push({
      path: `sites.${a.addresses.v6 === undefined ? "a" : "b"}.addresses.v6`,
      message: "missing; both sites need the same record types, so give both a v6 or neither",
    });
  }
  return issues;
}

function hostnames({ dns }: Loose): readonly Issue[] {
  const issues = dns.zones.flatMap(({ zone: name, hostnames: hosts }, z) =>
    hosts.flatMap((host, h) => {
      const path = `dns.zones.${z}.hostnames.${h}`;
      if (host === undefined || name === undefined) return [];
      if (host !== name && !host.endsWith(`.${name}`)) {
        return [
          {
            path,
            message: `${JSON.stringify(host)}: it does not lie in zone ${name}; list it under its own zone`,
          },
        ];
      }
      return ours(name).includes(host) || host.startsWith("_standby-")
        ? [
            {
              path,
              message: `${JSON.stringify(host)}: this component keeps the name for itself; choose another`,
            },
          ]
        : [];
    }),
  );
  return [...issues, ...sameHost(dns.zones)];
}

const ours = (zoneName: string): readonly string[] => [
  `active.${zoneName}`,
  ...SITE_IDS.map((id) => `site-${id}.${zoneName}`),
];

function sameHost(zones: Loose["dns"]["zones"]): readonly Issue[] {
  const places = zones.flatMap(({ hostnames: hosts }, z) =>
    hosts.map((host, h) => ({ host, path: `dns.zones.${z}.hostnames.${h}` })),
  );
  return twice(
    places.map(({ host }) => host),
    (index) => places[index]?.path ?? "dns.zones",
  );
}

function twice(
  values: readonly (string | undefined)[],
  path: (index: number) => string,
): readonly Issue[] {
  return values.flatMap((value, index) =>
    value !== undefined && values.indexOf(value) !== index
      ? [
          {
            path: path(index),
            message: `${JSON.stringify(value)}: used twice; each must be of its own`,
          },
        ]
      : [],
  );
}
