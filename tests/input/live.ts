import type { InputBench } from "./bench";
import type { LiveCase } from "./liveCase";
import { DATABASES, HOSTS } from "./liveInside";
import { CLOUDFLARE, WAYS } from "./liveOutside";
import { strangeStandby, type Undo } from "./surroundings";

const PLANS: readonly LiveCase[] = [
  {
    name: "an approval of another plan",
    config: { approvedPlan: "2-000000000000" },
    says: [
      /approvedPlan: 2-0{12} was approved, but the plan is now 2-[0-9a-f]{12} \(switchover a to b\)/,
      /pulumi config set approvedPlan 2-[0-9a-f]{12}/,
    ],
  },
  {
    name: "an update that may not look",
    put: () => ({ observe: "none" }),
    says: ['observe: "none" is for previews only'],
  },
  {
    name: "arguments that do not fit",
    put: () => ({
      activeSite: "c",
      "dns.cloudflare.ttl": 3600,
      "sites.b.addresses.v4": "127.0.0.2",
      "sites.b.transport": { ssh: { host: "b" } },
    }),
    says: [
      'activeSite: "c"',
      "dns.cloudflare.ttl: 3600",
      'sites.b.addresses.v4: "127.0.0.2": it is site a\'s',
      "sites.b.transport.user: missing",
      "sites.b.transport.hostKeys: missing",
      "5 values do not fit",
    ],
  },
];

export const LIVE: readonly LiveCase[] = [...CLOUDFLARE, ...WAYS, ...HOSTS, ...DATABASES, ...PLANS];

/** A standby of another database under the name of site b. */
export async function strange(
  bench: InputBench,
): Promise<{ put: Record<string, unknown>; undo: Undo }> {
  const { cluster, undo } = await strangeStandby(bench);
  const { port, dataDirectory, socketDirectory } = cluster;
  const own = { port, dataDirectory, socketDirectory };
  const put = Object.fromEntries(
    Object.entries(own).map(([key, value]) => [`sites.b.postgres.${key}`, value]),
  );
  return { put, undo };
}
