// A disk that comes back older: a snapshot put back under the primary. Whatever is typed then, no row that only the standby has is
// lost, and every refusal says the next act.
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import type { Host } from "../../lab/hosts/host";
import { until } from "../../lab/postgres/processes";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const ROWS = 500;

let hosts: Hosts;
let stack: HostsStack;

const rows = async (host: Host): Promise<number | undefined> =>
  (await host.query<{ n: number }>("select count(*)::int as n from kept").catch(() => []))[0]?.n;
const standby = async (host: Host): Promise<boolean | undefined> =>
  (await host.query<{ yes: boolean }>("select pg_is_in_recovery() as yes").catch(() => []))[0]?.yes;

/** Site a with the disk, or the data directory alone, of a moment before most rows. */
async function begin(disk = true): Promise<void> {
  hosts = await startHosts();
  stack = await HostsStack.open(hosts);
  const first = await stack.up();
  if (first.exitCode !== 0) throw new Error(errors(first) || first.stdout);
  await hosts.a.query("create table kept(n int primary key)");
  await hosts.a.query("insert into kept select generate_series(1, 10)");
  const copy = disk ? await hosts.a.snapshot() : await copied();
  await hosts.a.query("insert into kept select generate_series(11, $1)", [ROWS]);
  await until("the standby has them", 20_000, async () => (await rows(hosts.b)) === ROWS);
  if (copy !== undefined) {
    await hosts.a.rollBack(copy);
    await hosts.a.powerOn();
    return;
  }
  await hosts.a.must([
    "sh",
    "-c",
    `systemctl stop ${UNIT} && rm -r ${DATA} && cp -a /var/tmp/older ${DATA}`,
  ]);
  await hosts.a.must(["systemctl", "start", UNIT]);
}

const DATA = "/var/lib/postgresql/15/main";
const UNIT = "postgresql@15-main.service";

/** A provider's snapshot of a volume: the server stands still for the copy. */
async function copied(): Promise<undefined> {
  const stop = "systemctl kill --kill-who=all --signal=STOP";
  await hosts.a.must([
    "sh",
    "-c",
    `${stop} ${UNIT}; cp -a ${DATA} /var/tmp/older; systemctl kill --kill-who=all --signal=CONT ${UNIT}`,
  ]);
}

/** b serves with every row, and a follows. */
async function isWhole(): Promise<void> {
  expect(await rows(hosts.b)).toBe(ROWS);
  expect(await standby(hosts.b)).toBe(false);
  await until("a follows", 20_000, async () => (await rows(hosts.a)) === ROWS);
  expect(await standby(hosts.a)).toBe(true);
}

describeHosts("the primary's disk comes back older", () => {
  beforeAll(() => begin());
  afterAll(() => hosts.close());

  test("its guard does not open it", async () => {
    await until("it answers", 30_000, async () => (await rows(hosts.a)) === 10);
    expect(await standby(hosts.a)).toBe(true);
  });

  test("an update refuses, says by how much, and changes nothing", async () => {
    const result = await stack.up();
    expect(result.exitCode).not.toBe(0);
    const said = errors(result);
    expect(said).toMatch(/site b .* \d+ bytes/);
    expect(said).toContain("pulumi config set activeSite b");
    expect(await standby(hosts.a)).toBe(true);
    expect(await rows(hosts.b)).toBe(ROWS);
  });

  test("opened by hand it is refused as well, and the standby keeps what it has", async () => {
    const open = `systemctl stop ${UNIT}; rm ${DATA}/standby.signal; rm -f /var/lib/standby/shop/held; pg_ctlcluster --skip-systemctl-redirect 15 main start`;
    await hosts.a.must(["sh", "-c", open]);
    await until("it is open", 20_000, async () => (await standby(hosts.a)) === false);
    const result = await stack.up();
    expect(result.exitCode).not.toBe(0);
    expect(errors(result)).toContain("pulumi config set activeSite b");
    expect(await rows(hosts.b)).toBe(ROWS);
  });

  test("what is typed then asks once for what the older disk has written since", async () => {
    await stack.engine.setConfig("activeSite", "b");
    const refused = await stack.up();
    expect(refused.exitCode).not.toBe(0);
    expect(errors(refused)).toContain("pulumi config set acceptLoss 2");
    expect(await rows(hosts.b)).toBe(ROWS);
    const served = await stack.up({ acceptLoss: 2 });
    // Site a has sent its WAL over the standby's, so nobody can tell from where on it wrote alone.
    expect(errors(served)).toContain("pulumi config set discardDelta 2");
    expect([await rows(hosts.b), await standby(hosts.b)]).toEqual([ROWS, false]);
    const result = await stack.up({ acceptLoss: 2, discardDelta: 2 });
    expect([result.exitCode, errors(result)]).toEqual([0, ""]);
    await isWhole();
  });
});

describeHosts("the primary's disk comes back older, and its guard keeps it closed", () => {
  beforeAll(() => begin());
  afterAll(() => hosts.close());

  test("the other site serves with every row by one update, and nothing is accepted", async () => {
    await stack.engine.setConfig("activeSite", "b");
    const result = await stack.up();
    expect([result.exitCode, errors(result)]).toEqual([0, ""]);
    await isWhole();
  });
});

describeHosts("a volume is put back under the stopped server, without a boot", () => {
  beforeAll(() => begin(false));
  afterAll(() => hosts.close());

  test("started through its unit it does not open", async () => {
    await until("it answers", 30_000, async () => (await rows(hosts.a)) === 10);
    expect(await standby(hosts.a)).toBe(true);
    expect(errors(await stack.up())).toContain("pulumi config set activeSite b");
    expect(await rows(hosts.b)).toBe(ROWS);
  });
});
