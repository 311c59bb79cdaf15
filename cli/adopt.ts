import { promises as dns } from "node:dns";
import type { Command } from "commander";
import { adoptionArgs, adoptionPlan, adoptionText, type AdoptionWish } from "../plan/dns/adoption";
import { adopt } from "../sites/adopt";
import { listZone } from "../sites/cloudflareApi";
import { resolverAt } from "../sites/nameServers";
import { accessFromEnvironment } from "./access";

interface AdoptFlags {
  readonly zone: string;
  readonly zoneId: string;
  readonly a: string;
  readonly a6?: string;
  readonly keep: readonly string[];
  readonly ttl: string;
  readonly servers: readonly string[];
  readonly yes?: true;
}

/** `standby adopt`: proposes the names that point to the serving site, and with --yes makes them aliases, one by one. */
export function adoptCommand(program: Command): void {
  program
    .command("adopt")
    .description(
      "takes over a live zone without changing an answer; shows the plan unless --yes is given",
    )
    .requiredOption("--zone <name>", "the zone")
    .requiredOption("--zone-id <id>", "its 32 hex digits")
    .requiredOption("--a <address>", "IPv4 address of site a, which serves today")
    .option("--a6 <address>", "IPv6 address of site a")
    .option("--keep <names...>", "names that must not move", [])
    .option("--ttl <seconds>", "TTL of the aliases", "60")
    .option("--servers <addresses...>", "two or more vantages, ADDRESS or ADDRESS#PORT", [])
    .option("--yes", "do it: TTL first, the old TTL waited out, then a canary, then the rest")
    .action(async (flags: AdoptFlags) => {
      const wish: AdoptionWish = {
        ...{ zone: flags.zone, keep: flags.keep, ttl: Number(flags.ttl) },
        site: { v4: flags.a, v6: flags.a6 },
      };
      const access = accessFromEnvironment();
      const say = (line: string) => process.stderr.write(`${line}\n`);
      const shown = adoptionPlan(wish, (await listZone(access, wish.zone, flags.zoneId)).records);
      say(adoptionText(shown).trimEnd());
      if (flags.yes === true) {
        if (flags.servers.length < 2)
          throw new Error("--servers: two vantages are needed to watch the names");
        const sleep = (seconds: number) =>
          new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
        const answers = (name: string) =>
          Promise.all(flags.servers.map((one) => addresses(one, name)));
        await adopt({ access, zoneId: flags.zoneId, wish, answers, sleep, say });
      }
      process.stdout.write(`${adoptionArgs(shown, flags.zoneId)}\n`);
    });
}

/** What one server answers for a name, both families; an error is no answer, and no answer never equals one. */
async function addresses(server: string, name: string): Promise<readonly string[]> {
  const resolver: dns.Resolver = resolverAt(server);
  const asked = name.replace(/^\*\./, "standby-adopt-probe.");
  const families = await Promise.all([
    resolver.resolve4(asked).catch(none),
    resolver.resolve6(asked).catch(none),
  ]);
  return families.flat().sort();
}

function none(error: NodeJS.ErrnoException): readonly string[] {
  if (error.code === "ENODATA" || error.code === "ENOTFOUND") return [];
  throw error;
}
