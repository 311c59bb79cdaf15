// Two hosts as Debian makes them when PostgreSQL is installed: what the first updates say, and that typing it is enough.
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const MAIN = "/var/lib/postgresql/15/main";
// As the package makes it: no checksums, listening to nobody but the host itself.
const ANEW =
  "pg_dropcluster --stop 15 main; pg_createcluster 15 main && systemctl start postgresql@15-main";

describeHosts("two fresh Debian hosts", () => {
  let hosts: Hosts;
  let stack: HostsStack;
  beforeAll(async () => {
    hosts = await startHosts({ a: "debian", b: "debian" });
    await hosts.a.must(["sh", "-c", ANEW]);
    await hosts.a.must(
      ["runuser", "-u", "postgres", "--", "psql", "-q"],
      "create role root superuser login; create table kept(n int); insert into kept values (1);",
    );
    stack = await HostsStack.open(hosts);
  });
  afterAll(() => hosts.close());

  const started = async () => {
    const [row] = await hosts.a.query("select pg_postmaster_start_time()::text as at");
    return row?.["at"];
  };
  const refused = async (put: Readonly<Record<string, unknown>> = {}) => {
    const result = await stack.up(put);
    expect(result.exitCode).not.toBe(0);
    expect(await stack.written()).toEqual([]);
    return errors(result);
  };

  const at = (site: "a" | "b", more: object) => ({ [`sites.${site}.postgres`]: more });
  test.each([
    [
      "a data directory one level too high",
      at("a", { dataDirectory: "/var/lib/postgresql/15" }),
      [/\/var\/lib\/postgresql\/15 is not empty and holds no database; .*main holds one/],
    ],
    [
      "a data directory that is none",
      at("b", { dataDirectory: "/etc" }),
      [/site b: \/etc is not empty and holds no database/],
    ],
    [
      "a port that is another's",
      at("a", { port: 5433 }),
      [
        /site a: PostgreSQL of \/var\/lib\/postgresql\/15\/main listens on port 5432, not 5433/,
        /port: 5432/,
      ],
    ],
    [
      "a superuser that is not there",
      at("a", { superuser: "nobody" }),
      [/`psql -h \/var\/run\/postgresql -p 5432 -U nobody -d postgres` as postgres got .*nobody/],
    ],
    [
      "a socket that is elsewhere",
      at("a", { socketDirectory: "/run/elsewhere" }),
      [/its socket is in \/var\/run\/postgresql/],
    ],
    [
      "a configuration that is not there",
      at("a", { configFile: "/etc/postgresql/15/min/postgresql.conf" }),
      [/configFile|15\/min\/postgresql.conf cannot be read/],
    ],
  ])("%s is refused before anything is written", async (_, put, says) => {
    const text = await refused(put);
    for (const each of says) expect(text).toMatch(each);
  });

  test("a home, and a folder on the way to the state, that the owner cannot use", async () => {
    await hosts.a.must([
      "sh",
      "-c",
      "mkdir -m 700 /var/lib/standby; usermod --home /nowhere postgres 2>/dev/null || sed -i 's,^\\(postgres:.*\\):/var/lib/postgresql:,\\1:/nowhere:,' /etc/passwd",
    ]);
    const result = await stack.up();
    const text = errors(result);
    expect(text).toContain(
      "site a: postgres cannot enter /var/lib/standby, which leads to /var/lib/standby/shop",
    );
    expect(text).toContain("the home folder of postgres (/nowhere) does not exist");
    await hosts.a.must([
      "sh",
      "-c",
      "rmdir /var/lib/standby; sed -i 's,:/nowhere:,:/var/lib/postgresql:,' /etc/passwd",
    ]);
  });

  test("everything that is missing is said at once, before anything is written", async () => {
    const before = await started();
    const text = await refused();
    expect(text).toContain("wal_log_hints is off; listen_addresses is 'localhost'");
    expect(text).toContain(`site b: ${MAIN} holds an empty database cluster of its own`);
    const lines = await stack.type(text);
    expect(lines).toEqual([
      `b: systemctl stop postgresql@15-main`,
      `b: mv ${MAIN} ${MAIN}.aside`,
      `a: runuser -u postgres -- psql -c "alter system set wal_log_hints = on" -c "alter system set listen_addresses = '*'"`,
      `a: systemctl restart postgresql@15-main`,
    ]);
    expect(await started()).not.toBe(before);
  });

  test("an empty site that is a mount point is refused before anything is copied", async () => {
    await hosts.b.must(["sh", "-c", `mkdir ${MAIN} && mount -t tmpfs none ${MAIN}`]);
    const text = await refused();
    expect(text).toContain(`site b: ${MAIN} is a mount point`);
    await hosts.b.must(["sh", "-c", `umount ${MAIN} && rmdir ${MAIN}`]);
  });

  test("a wall between the sites is found before anything is written", async () => {
    await hosts.a.must(
      ["nft", "-f", "-"],
      "table inet wall { chain in { type filter hook input priority 0; tcp dport 5432 drop; }; }",
    );
    const text = await refused();
    expect(text).toContain("site b gets no answer from site a's database at 192.0.2.10:5432");
    await hosts.a.must(["nft", "delete", "table", "inet", "wall"]);
  });

  test("then the pair is made, without another restart, in Debian's layout", async () => {
    const before = await started();
    const result = await stack.up();
    expect(errors(result)).toBe("");
    expect(result.exitCode).toBe(0);
    expect(await started()).toBe(before);
    expect(
      await hosts.b.query("select n, current_setting('config_file') as file from kept"),
    ).toEqual([{ n: 1, file: "/etc/postgresql/15/main/postgresql.conf" }]);
    const again = await stack.up();
    expect(again.summary).toMatchObject({ same: expect.any(Number) as number });
    expect(Object.keys(again.summary).filter((key) => !/same|unchanged/.test(key))).toEqual([]);
  });

  test("and it goes there and back", async () => {
    for (const site of ["b", "a"]) {
      await stack.engine.setConfig("activeSite", site);
      const result = await stack.up();
      expect(errors(result)).toBe("");
    }
  });
});

describeHosts("a site b without any cluster of Debian's", () => {
  test("is told to make a configuration, and gets the copy then", async () => {
    const hosts = await startHosts({ b: "none" });
    try {
      const stack = await HostsStack.open(hosts);
      const text = errors(await stack.up());
      expect(await stack.written()).toEqual([]);
      expect(text).toContain(`site b: no postgresql.conf for ${MAIN}`);
      await stack.type(text);
      expect(errors(await stack.up())).toBe("");
      const [row] = await hosts.b.query("select pg_is_in_recovery() as standby");
      expect(row).toEqual({ standby: true });
    } finally {
      await hosts.close();
    }
  });
});
