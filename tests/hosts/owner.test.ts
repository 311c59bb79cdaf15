// One owner of PostgreSQL: Debian's own unit, bound to the guard. What starts, stops, upgrades and boots it goes through that.
import { setTimeout as pause } from "node:timers/promises";
import { STATE } from "../../lab/hosts/debian";
import { HostPair, UNIT, upgradeBegins, upgradeEnds } from "../../lab/hosts/pair";
import { SITE_IDS } from "../../plan/terms";
import { until } from "../../lab/postgres/processes";
import { describeHosts } from "./describeHosts";

const GUARD_UNIT = "standby-guard@shop.service";
const HOLD_UNIT = "standby-hold@shop.service";
const atRest = {
  unit: UNIT,
  owner: "unit",
  units: "same",
  start_conf: "auto",
  guard_running: "yes",
  guard_supervised: "yes",
};

describeHosts("PostgreSQL has one owner, the system unit", () => {
  let pair: HostPair;
  beforeAll(async () => {
    pair = await HostPair.open();
  });
  afterAll(() => pair.close());

  /** The guard sees at its next poll that the unit is back. */
  const rests = async (site: "a" | "b", more: Readonly<Record<string, string>> = {}) => {
    await until("its guard has polled", 15_000, async () => {
      return (await pair.observe(site))["guard_supervised"] === "yes";
    }).catch(() => undefined);
    expect(await pair.observe(site)).toMatchObject({ ...atRest, ...more });
  };

  const show = async (unit: string, property: string, site: "a" | "b" = "a") =>
    (
      await pair.host(site).must(["systemctl", "show", `--property=${property}`, "--value", unit])
    ).trim();

  test("after a set-up over ssh both servers run in their units, and the guards as units too", async () => {
    for (const site of SITE_IDS) await rests(site);
    expect(await show(UNIT, "OOMScoreAdjust")).toBe("-900");
    expect(await show(UNIT, "BindsTo")).toBe(GUARD_UNIT);
  });

  test("the early unit needs no network, and PostgreSQL needs the early unit", async () => {
    const before = `${await show(HOLD_UNIT, "After")} ${await show(HOLD_UNIT, "Requires")} ${await show(HOLD_UNIT, "Wants")}`;
    expect(before).not.toMatch(/network|basic|sysinit/);
    expect(await show(UNIT, "Requires")).toContain(HOLD_UNIT);
    expect(await show(HOLD_UNIT, "Before")).toContain(UNIT);
  });

  test("systemctl stop postgresql stops it, and start brings the same role back", async () => {
    // Its instances end after it: the command does not wait for them.
    await pair.hosts.a.must(["systemctl", "stop", "postgresql"]);
    await until("it has ended", 30_000, async () => (await pair.postmaster("a")) === 0);
    await pair.hosts.a.must(["systemctl", "start", "postgresql"]);
    expect([await pair.writable("a"), await pair.writable("b")]).toEqual([true, false]);
    await pair.ready();
  });

  // What needrestart types for a service whose libraries were replaced.
  test.each([
    [UNIT, "a"],
    [UNIT, "b"],
    [GUARD_UNIT, "a"],
  ] as const)("systemctl restart %s at site %s keeps the role", async (unit, site) => {
    const was = await pair.postmaster(site);
    await pair.host(site).must(["systemctl", "restart", unit]);
    await until("it answers again", 30_000, async () => (await pair.writable(site)) !== undefined);
    expect(await pair.postmaster(site)).not.toBe(was);
    expect([await pair.writable("a"), await pair.writable("b")]).toEqual([true, false]);
    await pair.ready();
    await rests(site);
  });

  // What dpkg does around the unpacking of a new version, which the room cannot fetch.
  test.each(["a", "b"] as const)(
    "an upgrade of postgresql-15 at site %s: the role comes back by itself",
    async (site) => {
      await upgradeBegins(pair.host(site));
      expect(await pair.postmaster(site)).toBe(0);
      // Longer than a lease lasts.
      await pause(8000);
      await upgradeEnds(pair.host(site));
      await until("it answers again", 30_000, async () => {
        return (await pair.writable(site)) !== undefined;
      });
      expect([await pair.writable("a"), await pair.writable("b")]).toEqual([true, false]);
      await pair.ready();
      await rests(site);
    },
  );

  test("a server that a verb stops and starts at once lives on, ten times of ten", async () => {
    const again = `again() {
      read_input
      take_lock
      for round in 1 2 3 4 5 6 7 8 9 10; do
        stop_postgres INT 20
        start_postgres
        postmaster
        was=$pid
        sleep 2
        if postmaster && [ "$pid" = "$was" ] && grep --quiet "$unit" "/proc/$pid/cgroup"; then fact "lives$round" yes; fi
      done
    }
    again`;
    const ran = await pair.enter("a", again, { step_bound: "60" });
    expect(ran.stderr).toBe("");
    expect(ran.stdout.match(/^lives\d+=yes$/gm)).toHaveLength(10);
    await pair.ready();
  });

  test("a server that a verb starts with options of its own has them, the next start has not", async () => {
    const quiet = `quiet() {
      read_input
      take_lock
      stop_postgres INT 20
      start_postgres "-c work_mem=5MB"
    }
    quiet`;
    const ran = await pair.enter("b", quiet, {});
    expect(ran).toMatchObject({ exitCode: 0 });
    const shown = () =>
      pair.hosts.b.query("select setting from pg_settings where name = 'work_mem'");
    expect(await shown()).toEqual([{ setting: "5120" }]);
    await pair.hosts.b.must(["systemctl", "restart", UNIT]);
    expect(await shown()).toEqual([{ setting: "4096" }]);
    expect(await pair.hosts.b.query("show recovery_target_timeline")).toEqual([
      { recovery_target_timeline: "latest" },
    ]);
  });

  test("a killed guard ends PostgreSQL, and both come back with their role", async () => {
    const was = await pair.postmaster("a");
    await pair.hosts.a.must(["systemctl", "kill", "--signal=KILL", "--kill-who=main", GUARD_UNIT]);
    await until("PostgreSQL was started anew", 30_000, async () => {
      const now = await pair.postmaster("a");
      return now !== 0 && now !== was && (await pair.writable("a")) === true;
    });
    await pair.ready();
    await rests("a");
  });

  test("a guard that is installed anew costs no outage", async () => {
    const was = await pair.postmaster("a");
    await pair.hosts.a.must(["sh", "-c", `echo '# newer' >>${STATE}/guard`]);
    await pair.prepare("a");
    await pause(3000);
    expect(await pair.postmaster("a")).toBe(was);
    await pair.ready();
    await rests("a");
  });

  test("start.conf that somebody changed, or a unit that was disabled, is seen and mended", async () => {
    await pair.hosts.b.must(["sh", "-c", "echo manual >/etc/postgresql/15/main/start.conf"]);
    await pair.hosts.b.must(["systemctl", "disable", HOLD_UNIT]);
    expect(await pair.observe("b")).toMatchObject({ start_conf: "manual", units: "differ" });
    await pair.prepare("b");
    await rests("b");
  });

  test("a server that was started in a login session is named, and moved by the guard's own command", async () => {
    await pair.hosts.b.must(["systemctl", "stop", UNIT]);
    const start = "pg_ctlcluster --skip-systemctl-redirect 15 main start";
    expect((await pair.hosts.b.ssh(start)).exitCode).toBe(0);
    expect(await pair.observe("b")).toMatchObject({ owner: "session", role: "standby" });
    const ready = await pair.verb("b", "postgres/preflight", { value: "target-first" });
    expect(ready.exitCode).toBe(0);
    expect(ready.stderr).toMatch(
      /site b: PostgreSQL does not run in postgresql@15-main.service but inside a login session.*\nHINT: .*\/guard move/,
    );
    await pair.hosts.b.must([`${STATE}/guard`, "move"]);
    await rests("b", { role: "standby" });
    const moved = await pair.verb("b", "postgres/preflight", { value: "target-first" });
    expect(moved).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("an account other than root is told the two lines that it lacks", async () => {
    const as =
      "setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/var/lib/postgresql";
    const lines = { guard: "1000 7000 17000 either", epoch: "" };
    const refused = await pair.verb("b", "site/install", lines, as);
    expect(refused).toMatchObject({ exitCode: 77 });
    expect(refused.stderr).toContain(`sudo ${STATE}/guard units`);
    await pair.hosts.b.must([`${STATE}/guard`, "units"]);
    const started = await pair.verb("b", "site/install", lines, as);
    expect(started).toMatchObject({ exitCode: 77 });
    expect(started.stderr).toContain(
      `postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start --no-block ${UNIT}`,
    );
    await pair.prepare("b");
    const ring =
      "printf . 1<>/var/lib/standby/shop/guard.bell && flock --wait 1 /var/lib/standby/shop/lock true";
    expect((await pair.hosts.b.run(["su", "postgres", "-c", ring])).exitCode).toBe(0);
  });

  test("a start outside the unit, writable and with nothing that keeps it, is ended within the bound", async () => {
    await pair.hosts.a.cut();
    await until(
      "site a has fenced itself",
      30_000,
      async () => (await pair.writable("a")) !== true,
    );
    await pair.hosts.a.must(["rm", "-f", "/var/lib/postgresql/15/main/standby.signal"]);
    const start = "pg_ctlcluster --skip-systemctl-redirect 15 main start || :";
    await pair.hosts.a.must(["sh", "-c", start]);
    await until("it was ended", 16_000, async () => (await pair.writable("a")) !== true);
    await pair.hosts.a.mend();
    await pair.resume();
    await rests("a");
  });

  test("a clean poweroff loses nothing at the standby", async () => {
    await pair.hosts.a.query("create table acked(n int)");
    let acked = 0;
    let ends = false;
    const writer = (async () => {
      while (!ends) {
        try {
          await pair.hosts.a.query("insert into acked values (1)");
          acked += 1;
        } catch {
          ends = acked > 0;
        }
      }
    })();
    await until("it writes", 20_000, () => acked > 20);
    await pair.hosts.a.shutDown();
    ends = true;
    await writer;
    const [row] = await pair.hosts.b.query<{ n: number }>("select count(*)::int as n from acked");
    expect(row?.n).toBeGreaterThanOrEqual(acked);
    await pair.hosts.a.powerOn();
    await pair.resume();
  });

  test("a primary that boots is read-only at first, and its guard opens it by itself", async () => {
    const primary = pair.host(pair.primary);
    await primary.cut();
    await primary.powerOff();
    await primary.powerOn();
    await until(
      "it answers",
      60_000,
      async () => (await pair.writable(pair.primary)) !== undefined,
    );
    expect(await pair.writable(pair.primary)).toBe(false);
    await primary.mend();
    await pair.ready();
    expect(await pair.writable(pair.standby)).toBe(false);
    await rests(pair.primary);
  });

  test("a start that the guard holds does not fail because the guard opens it", async () => {
    const primary = pair.host(pair.primary);
    await primary.must(["systemctl", "stop", UNIT, HOLD_UNIT]);
    await primary.must(["systemctl", "start", UNIT]);
    await pair.ready();
    await rests(pair.primary);
  });

  test("without the guard's program PostgreSQL does not start at boot", async () => {
    await pair.hosts.b.must(["chmod", "-x", `${STATE}/guard`]);
    await pair.hosts.b.powerOff();
    await pair.hosts.b.powerOn({ wait: false });
    await until("the early unit has failed", 60_000, async () => {
      const { stdout } = await pair.hosts.b.run(["systemctl", "is-failed", HOLD_UNIT]);
      return stdout.trim() === "failed";
    });
    await pause(3000);
    expect(await pair.postmaster("b")).toBe(0);
    await pair.hosts.b.must(["chmod", "+x", `${STATE}/guard`]);
    await pair.hosts.b.must(["systemctl", "start", "postgresql"]);
    await pair.settle();
  });

  test("release takes guard and units away, and both databases go on", async () => {
    const were = [await pair.postmaster("a"), await pair.postmaster("b")];
    for (const site of SITE_IDS) {
      expect(await pair.holds(site, "site/release")).toMatch(/^start=auto$/m);
    }
    await pause(3000);
    expect([await pair.postmaster("a"), await pair.postmaster("b")]).toEqual(were);
    expect([await pair.writable("a"), await pair.writable("b")]).toEqual([true, false]);
    expect(await show(UNIT, "BindsTo")).toBe("");
    const left = await pair.hosts.a.must([
      "sh",
      "-c",
      "ls -R /etc/systemd/system | grep -c standby || :",
    ]);
    expect(left.trim()).toBe("0");
    await pair.hosts.a.must(["systemctl", "restart", UNIT]);
    expect(await pair.writable("a")).toBe(true);
  });
});
