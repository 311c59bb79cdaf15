// logind ends whatever a login session leaves behind. Servers and guards are no part of the sessions that set them up or flip them.
import { setTimeout as pause } from "node:timers/promises";
import { HostPair, UNIT } from "../../lab/hosts/pair";
import { until } from "../../lab/postgres/processes";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import { describeHosts } from "./describeHosts";

const GUARD_UNIT = "standby-guard@shop.service";
// Without the second line, or with nobody in it, logind would spare root, as whom the runner enters.
const STRICT = "[Login]\nKillUserProcesses=yes\nKillExcludeUsers=nobody\n";

describeHosts("with KillUserProcesses=yes at both hosts", () => {
  let pair: HostPair;
  beforeAll(async () => {
    pair = await HostPair.open();
    for (const site of SITE_IDS) {
      await pair.host(site).writeFile("/etc/systemd/logind.conf.d/strict.conf", STRICT);
      await pair.host(site).must(["systemctl", "restart", "systemd-logind"]);
    }
  });
  afterAll(() => pair.close());

  const guardOf = async (site: SiteId) =>
    Number(
      await pair
        .host(site)
        .must(["systemctl", "show", "--property=MainPID", "--value", GUARD_UNIT]),
    );
  const running = () =>
    Promise.all(
      SITE_IDS.map(async (site) => [await pair.postmaster(site), await guardOf(site)] as const),
    );
  /** Every login session is over, and has been for longer than logind waits. */
  const sessionsEnd = async () => {
    for (const site of SITE_IDS) {
      await until(`nobody is logged in at site ${site}`, 30_000, async () => {
        return (await pair.host(site).must(["loginctl", "--no-legend", "list-sessions"])) === "";
      });
    }
    await pause(5000);
  };

  test("what a session leaves behind is ended: the setting is in force", async () => {
    const { stdout } = await pair.hosts.a.ssh("setsid sleep 600 >/dev/null 2>&1 & echo $!");
    await sessionsEnd();
    const left = await pair.hosts.a.run(["test", "-e", `/proc/${stdout.trim()}`]);
    expect(left.exitCode).toBe(1);
  });

  test.each(["a guard that is installed anew", "a flip to b", "a flip back to a"])(
    "%s: both servers and both guards outlive every session",
    async (what) => {
      if (what.includes("guard")) for (const site of SITE_IDS) await pair.prepare(site);
      else await pair.switchOver();
      const were = await running();
      expect(were.flat()).not.toContain(0);
      await sessionsEnd();
      expect(await running()).toEqual(were);
      expect([await pair.writable(pair.primary), await pair.writable(pair.standby)]).toEqual([
        true,
        false,
      ]);
    },
  );

  test.each(SITE_IDS)("the postmaster of site %s is its unit's: group and score", async (site) => {
    const pid = await pair.postmaster(site);
    const proc = (file: string) => pair.host(site).must(["cat", `/proc/${pid}/${file}`]);
    // A machine that withholds CAP_SYS_RESOURCE lets nobody lower a score, systemd included.
    const lower = "echo -900 >/proc/self/oom_score_adj && cat /proc/self/oom_score_adj || echo 0";
    const lowest = await pair.host(site).must(["sh", "-c", lower]);
    expect(await proc("oom_score_adj")).toBe(lowest);
    expect(await proc("cgroup")).toContain(UNIT);
    expect(await pair.observe(site)).toMatchObject({ owner: "unit" });
  });
});
