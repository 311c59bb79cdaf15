import type * as pulumi from "@pulumi/pulumi";
import { pivotName, siteName, type Desired } from "../plan/desired";
import { SITE_IDS } from "../plan/terms";
import type { Dns } from "./dns/dns";

/** The records that a flip never changes: each site's addresses, and each hostname as an alias of its zone's pivot. */
export function names(
  name: string,
  wish: Desired,
  dns: Dns,
  options: pulumi.CustomResourceOptions,
): readonly pulumi.Resource[] {
  return wish.dns.zones.flatMap(({ zone, hostnames }) => [
    ...SITE_IDS.flatMap((site) => {
      const { v4, v6 } = wish.sites[site].addresses;
      const at = siteName(site, zone);
      return [
        dns.record(`${name}-${at}-v4`, { zone, name: at, type: "A", content: v4 }, options),
        ...(v6 === undefined
          ? []
          : [
              dns.record(
                `${name}-${at}-v6`,
                { zone, name: at, type: "AAAA", content: v6 },
                options,
              ),
            ]),
      ];
    }),
    ...hostnames.map((host) =>
      dns.record(
        `${name}-${host}`,
        { zone, name: host, type: "CNAME", content: pivotName(zone) },
        options,
      ),
    ),
  ]);
}
