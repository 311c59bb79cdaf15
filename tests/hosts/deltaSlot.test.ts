// A delta that is decoded where PGDATA holds no configuration, entered as root: Debian's layout.
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const SLOT = { "database.postgres.deltaSlot": "standby_delta" };

describeHosts("a delta slot in Debian's layout", () => {
  let hosts: Hosts;
  let stack: HostsStack;
  beforeAll(async () => {
    hosts = await startHosts({ b: "debian" });
    stack = await HostsStack.open(hosts);
    await hosts.a.query("create table kept(n int primary key)");
    await hosts.a.query("insert into kept values (1), (2)");
  });
  afterAll(() => hosts.close());

  test("wal_level = logical is on the list, and the pair is made", async () => {
    const text = errors(await stack.up(SLOT));
    expect(text).toContain("wal_level is replica");
    await stack.type(text);
    const result = await stack.up(SLOT);
    expect(errors(result)).toBe("");
  });

  test("what a lost primary removed is decoded when it returns", async () => {
    await hosts.a.cut();
    await hosts.a.query("delete from kept where n = 2");
    await stack.engine.setConfig("activeSite", "b");
    const accepted = { ...SLOT, acceptLoss: 2, acceptUnproven: 2 };
    expect(errors(await stack.up(accepted))).toBe("");
    await hosts.a.mend();
    expect(errors(await stack.up(accepted))).toBe("");
    const summary = await hosts.a.readFile("/var/lib/standby/shop/delta/2/summary");
    expect(summary).toContain("way=decoding\n");
    expect(summary).toContain("deletes=1\n");
    expect(await hosts.a.query("select n from kept order by n")).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
