// Sites that are entered as another account than root: what root must type once, and that nothing else is missing then.
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { UNIT } from "../../lab/hosts/pair";
import { until } from "../../lab/postgres/processes";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const GUARD_UNIT = "standby-guard@shop.service";
const MAIN = "/var/lib/postgresql/15/main";

describeHosts("sites that are entered as postgres", () => {
  let hosts: Hosts;
  let stack: HostsStack;
  beforeAll(async () => {
    hosts = await startHosts();
    stack = await HostsStack.open(hosts);
    for (const site of SITE_IDS) {
      await hosts[site].must(["useradd", "--create-home", "--groups", "sudo", "admin"]);
      await letIn(site, "postgres");
      await letIn(site, "admin");
    }
  });
  afterAll(() => hosts.close());

  /** The runner's key opens this account, too. */
  const letIn = (site: SiteId, account: string) =>
    hosts[site].must([
      "sh",
      "-c",
      `cd "$(getent passwd ${account} | cut -d: -f6)" && install -d -o ${account} -m 0700 .ssh && install -o ${account} -m 0600 /root/.ssh/authorized_keys .ssh/authorized_keys`,
    ]);

  const postmaster = async (site: SiteId) =>
    (await hosts[site].readFile(`${MAIN}/postmaster.pid`)).split("\n")[0] ?? "";
  const roles = () =>
    Promise.all(
      SITE_IDS.map(async (site) => {
        const [row] = await hosts[site].query("select pg_is_in_recovery() as standby");
        return row?.["standby"] === true ? "standby" : "primary";
      }),
    );

  test("an account that is neither root nor the owner is refused, though it may use sudo", async () => {
    await stack.engine.setConfig("user", "admin");
    const text = errors(await stack.up());
    for (const site of SITE_IDS) expect(text).toContain(`site ${site} answers, but`);
    expect(text).toContain(`account admin is neither root nor postgres, to whom ${MAIN} belongs`);
    expect(text).toContain("HINT: let its transport enter as root or as postgres");
    expect(await stack.written()).toEqual([]);
  });

  test("postgres is told at once which folder root must make, before anything is written", async () => {
    await stack.engine.setConfig("user", "postgres");
    const text = errors(await stack.up());
    expect(await stack.written()).toEqual([]);
    expect(await stack.type(text)).toEqual([
      "a: sudo install -d -o postgres -m 0700 /var/lib/standby/shop",
      "b: sudo install -d -o postgres -m 0700 /var/lib/standby/shop",
    ]);
  });

  test.each(SITE_IDS)(
    "at site %s nothing is served before root has typed both lines",
    async (site) => {
      const text = errors(await stack.up());
      const said = /HINT: at site (.): sudo (.*); and add to (\S+): (.*); then run/.exec(text);
      expect(said?.slice(1)).toEqual([
        site,
        "/var/lib/standby/shop/guard units",
        "/etc/sudoers.d/standby",
        `postgres ALL=(root) NOPASSWD: /usr/bin/systemctl start --no-block ${UNIT}`,
      ]);
      await hosts[site].must(["sh", "-c", said?.[2] ?? ""]);
      await hosts[site].must(["sh", "-c", `cat >>${said?.[3] ?? ""}`], `${said?.[4] ?? ""}\n`);
    },
  );

  test("then the pair is made, and nothing is left to do", async () => {
    expect(errors(await stack.up())).toBe("");
    expect(await roles()).toEqual(["primary", "standby"]);
    const again = await stack.up();
    expect(Object.keys(again.summary).filter((key) => !/same|unchanged/.test(key))).toEqual([]);
  });

  test.each([
    ["b", ["standby", "primary"]],
    ["a", ["primary", "standby"]],
  ])("a flip to %s, under the guards of systemd", async (to, then) => {
    await stack.engine.setConfig("activeSite", to);
    expect(errors(await stack.up())).toBe("");
    expect(await roles()).toEqual(then);
    for (const site of SITE_IDS) {
      const cgroup = await hosts[site].readFile(`/proc/${await postmaster(site)}/cgroup`);
      expect(cgroup).toContain(UNIT);
      const show = ["systemctl", "show", "--property=BindsTo,ActiveState", "--value", UNIT];
      expect(await hosts[site].must(show)).toContain(GUARD_UNIT);
    }
  });

  test("a guard that is killed takes PostgreSQL along, and both come back with their role", async () => {
    const was = await postmaster("a");
    await hosts.a.must(["systemctl", "kill", "--signal=KILL", "--kill-who=main", GUARD_UNIT]);
    await until("the primary was started anew", 60_000, async () => {
      const now = await postmaster("a").catch(() => was);
      return now !== was && (await roles().catch(() => [])).join() === "primary,standby";
    });
  });
});
