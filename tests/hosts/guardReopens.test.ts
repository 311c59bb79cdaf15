// A site that its own guard has closed opens again by itself, on Debian hosts with systemd as pid 1. Nobody runs an update here.
import { setTimeout as pause } from "node:timers/promises";
import { HostPair } from "../../lab/hosts/pair";
import { until } from "../../lab/postgres/processes";
import { describeHosts } from "./describeHosts";

describeHosts("what the guard closed it opens again", () => {
  let pair: HostPair;
  beforeAll(async () => {
    pair = await HostPair.open();
    await pair.hosts.a.query("create table mine (n int)");
  });
  afterAll(() => pair.close());

  const write = (n: number) => pair.hosts.a.query("insert into mine values ($1)", [n]);
  const rows = () => pair.hosts.a.query("select n from mine order by n");
  const opens = (seconds = 60) =>
    until("site a is open again", seconds * 1000, async () => (await pair.writable("a")) === true);
  const closes = () =>
    until("site a is closed", 40_000, async () => (await pair.writable("a")) !== true);

  test("both hosts lose power, the other one is back 25 s later", async () => {
    await write(1);
    await Promise.all([pair.hosts.a.powerOff(), pair.hosts.b.powerOff()]);
    await pair.hosts.a.powerOn();
    await pause(25_000);
    expect(await pair.writable("a")).toBe(false);
    expect(await pair.observe("a")).toMatchObject({ role: "standby", held: "yes" });
    await pair.hosts.b.powerOn();
    await opens();
    expect(await rows()).toEqual([{ n: 1 }]);
    await pair.ready();
    expect(await pair.observe("a")).toMatchObject({ owner: "unit", held: "no", signal: "no" });
  });

  test("the guard is restarted while the other host is off, which comes back later", async () => {
    await pair.hosts.b.powerOff();
    await pair.hosts.a.must(["systemctl", "restart", "standby-guard@shop.service"]);
    await pause(15_000);
    await pair.hosts.b.powerOn();
    await opens();
    await write(2);
    await pair.ready();
  });

  test("at epoch 1 the site is out of sight for longer than guard.after", async () => {
    await pair.hosts.a.cut();
    await closes();
    await pause(3000);
    await pair.hosts.a.mend();
    await opens();
    await write(3);
    await pair.ready();
    expect(await pair.observe("a")).toMatchObject({
      owner: "unit",
      held: "no",
      maintenance: "off",
    });
  });

  test("a host whose psql takes 1.9 s keeps its lease and serves on", async () => {
    const bin = "/usr/lib/postgresql/15/bin";
    await pair.hosts.a.must([
      "sh",
      "-c",
      `mkdir -p /opt/slow && ln -sf ${bin}/* /opt/slow && rm /opt/slow/psql &&
        printf '#!/bin/sh\nsleep 1.9\nexec ${bin}/psql "$@"\n' >/opt/slow/psql && chmod 755 /opt/slow/psql`,
    ]);
    const guard = "2000 12000 30000 lease";
    const lines = { run: pair.lines()["run"] ?? "", epoch: "", guard, bindir: "/opt/slow" };
    await pair.holds("a", "site/install", lines);
    for (let round = 0; round < 10; round += 1) {
      await pause(3000);
      expect(await pair.writable("a")).toBe(true);
    }
    const facts = await pair.observe("a");
    expect(facts).toMatchObject({ guard_isolation: "lease", guard_armed: "yes", held: "no" });
  });
});
