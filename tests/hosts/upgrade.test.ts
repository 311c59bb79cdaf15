// A security update of postgresql-15, as dpkg runs it: how long a site does not answer, and that its role comes back by itself.
import { HostPair, upgradeBegins, upgradeEnds } from "../../lab/hosts/pair";
import { Outage, watchWriters } from "../../lab/hosts/watched";
import { until } from "../../lab/postgres/processes";
import type { Sampler } from "../../lab/sampler";
import { describeHosts } from "./describeHosts";

describeHosts("a security update of postgresql-15", () => {
  let pair: HostPair;
  let writers: Sampler;
  beforeAll(async () => {
    pair = await HostPair.open();
    writers = watchWriters(pair);
  });
  afterAll(async () => {
    await writers.stop();
    await pair.close();
  });

  const roles = async () => [await pair.writable("a"), await pair.writable("b")];

  /** From the first failed question to the first good one, in milliseconds. */
  const outageOf = async (site: "a" | "b", act: () => Promise<unknown>) => {
    const outage = Outage.watch(pair.host(site));
    const was = await pair.postmaster(site);
    await act();
    await until("it answers, anew", 30_000, async () => {
      return (await pair.writable(site)) !== undefined && (await pair.postmaster(site)) !== was;
    });
    return outage.stop();
  };

  // The room cannot fetch a newer version: what dpkg does before and after the unpacking is real, the unpacking takes no time.
  test.each(["a", "b"] as const)(
    "at site %s: the role comes back by itself, and nobody else took it",
    async (site) => {
      const host = pair.host(site);
      const restart = await outageOf(site, () =>
        host.must(["systemctl", "restart", "postgresql@15-main"]),
      );
      await pair.ready();
      const upgrade = await outageOf(site, async () => {
        await upgradeBegins(host);
        await upgradeEnds(host);
      });
      expect(await roles()).toEqual([true, false]);
      await pair.ready();
      expect(await roles()).toEqual([true, false]);
      process.stderr.write(
        `site ${site} (${site === "a" ? "primary" : "standby"}): no answer for ${upgrade} ms in an upgrade, ${restart} ms in a restart\n`,
      );
      expect(writers.samples).toBeGreaterThan(50);
      expect(writers.twoWriterSamples).toBe(0);
    },
  );
});
