// A tool of the user's that replicates during a flip, and a lost host whose place another one takes, under another address.
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import type { Host } from "../../lab/hosts/host";
import { until } from "../../lab/postgres/processes";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const BIN = "/usr/lib/postgresql/15/bin";
const APP = "wal of the shop";
/** What a person types to have the WAL stored, at whichever host serves. */
const STORE = [
  "install --directory --owner=postgres --mode=700 /var/lib/wal",
  `systemd-run --quiet --collect --unit=wal-store --uid=postgres ${BIN}/pg_receivewal --no-loop --directory=/var/lib/wal --slot=wal_store --dbname="application_name='${APP}'"`,
].join(" && ");
const FOLLOWER = {
  name: "wal-store",
  match: { applicationName: APP },
  kind: "archive",
  repoint: `${STORE} && echo "$STANDBY_FOLLOWER $STANDBY_SITE $STANDBY_HOST:$STANDBY_PORT $STANDBY_SLOT" >/root/repointed`,
};
const declared = { "database.postgres.followers": [FOLLOWER] };

describeHosts("a pair with a tool of its own", () => {
  let hosts: Hosts;
  let stack: HostsStack;
  beforeAll(async () => {
    hosts = await startHosts();
    stack = await HostsStack.open(hosts);
    await up();
  });
  afterAll(() => hosts.close());

  async function up(put: Readonly<Record<string, unknown>> = {}) {
    const result = await stack.up(put);
    if (result.exitCode !== 0) throw new Error(errors(result) || result.stdout);
    return result;
  }
  const streams = async (host: Host) => {
    const sql =
      "select from pg_stat_replication where application_name = $1 and state = 'streaming'";
    const rows = await host.query(sql, [APP]);
    return rows.length === 1;
  };
  const standby = async (host: Host) => {
    const sql =
      "select pg_is_in_recovery() and exists (select from pg_stat_wal_receiver where status = 'streaming') as follows";
    const [row] = await host.query(sql);
    return row?.["follows"] === true;
  };

  test("undeclared it is refused with what it is and the line to add, and nothing stops", async () => {
    await hosts.a.query("select pg_create_physical_replication_slot('wal_store', true)");
    await hosts.a.must(["sh", "-c", STORE]);
    await until("the tool streams", 20_000, () => streams(hosts.a));
    await stack.engine.setConfig("activeSite", "b");
    const result = await stack.up();
    expect(result.exitCode).not.toBe(0);
    expect(errors(result)).toContain(
      `"${APP}" (user postgres, slot wal_store, by the socket, streaming)`,
    );
    expect(errors(result)).toContain(
      `{ name: "wal-of-the-shop", match: { applicationName: "${APP}" }, kind: "physical", slot: "wal_store" }`,
    );
    await hosts.a.query("create table still_writable(n int)");
  });

  test("declared it holds up nothing, and goes on at the site that serves", async () => {
    await up(declared);
    expect((await hosts.b.query("select pg_is_in_recovery() as standby"))[0]).toEqual({
      standby: false,
    });
    expect((await hosts.b.must(["cat", "/root/repointed"])).trim()).toBe(
      "wal-store b 198.51.100.20:5432 wal_store",
    );
    await until("the tool streams from b", 20_000, () => streams(hosts.b));
    expect(await standby(hosts.a)).toBe(true);
    expect(await hosts.a.query("select slot_name from pg_replication_slots")).toEqual([]);
  });

  test("a lost host's place is taken by one with another address: one update", async () => {
    await hosts.a.powerOff();
    await hosts.b.query("create table after_the_loss(n int)");
    const address = { v4: "192.0.2.99", v6: "2001:db8:a::99" };
    const spare = await hosts.add("c", address, "empty");
    await stack.engine.setConfig("hostA", address.v4);
    await stack.engine.setConfig("hostKeyA", hosts.door.hostKey("c"));
    await up(declared);
    expect(await standby(spare)).toBe(true);
    expect(await spare.query("select count(*)::int as n from after_the_loss")).toEqual([{ n: 0 }]);
    const rules = await hosts.b.must(["cat", "/etc/postgresql/15/main/pg_hba.conf"]);
    const block = rules.slice(
      rules.indexOf("# standby shop begin"),
      rules.indexOf("# standby shop end"),
    );
    expect([block.includes(address.v4), block.includes("192.0.2.10/")]).toEqual([true, false]);
    const guard = await hosts.b.must(["cat", "/var/lib/standby/shop/guard.conf"]);
    expect(guard).toContain(`peer_host=${address.v4}`);
    const records = hosts.cloudflare.records("shop.example");
    expect(records.find(({ name }) => name === "site-a.shop.example")?.content).toBe(address.v4);
    const again = await up(declared);
    expect(Object.keys(again.summary).filter((kind) => kind !== "same")).toEqual([]);
  });
});
