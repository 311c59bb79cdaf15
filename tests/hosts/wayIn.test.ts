// Root over ssh with the login shells that people have: they print, and they are none of the family of sh.
import { existsSync } from "node:fs";
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { toldPlan } from "../../lab/flip";
import { runHere } from "../../lab/site";
import { describeHosts } from "./describeHosts";
import { errors, HostsStack } from "./stack";

const MAIN = "/var/lib/postgresql/15/main";
const SHELLS = ["fish", "tcsh"] as const;
const missing = SHELLS.filter((shell) => !existsSync(`/usr/bin/${shell}`));
const skipped = missing.length === 0 ? "" : ` (skipped: no ${missing.join(" and no ")} here)`;

/** This machine's own packages of these shells, as they lie on its disk. */
async function bringShells(hosts: Hosts): Promise<void> {
  const list = `dpkg -L fish fish-common libpcre2-32-0 tcsh | while read -r f; do [ -d "$f" ] || echo "$f"; done`;
  for (const host of [hosts.a, hosts.b]) {
    const copy = `cd / && (${list}; echo /usr/bin/tcsh) | tar --create --files-from=- 2>/dev/null | tar --extract --keep-directory-symlink --directory=${host.disk.root}`;
    const { exitCode, stderr } = await runHere(["sh", "-c", copy]);
    if (exitCode !== 0) throw new Error(stderr);
  }
}

describeHosts("root's login shell", () => {
  let hosts: Hosts;
  let stack: HostsStack;
  beforeAll(async () => {
    hosts = await startHosts({ b: "none" });
    stack = await HostsStack.open(hosts);
  });
  afterAll(() => hosts.close());

  const login = async (site: "a" | "b", shell: string, file: string, text: string) => {
    const host = hosts[site];
    await host.must(["sh", "-c", `sed -i 's,^\\(root:.*:\\)[^:]*$,\\1${shell},' /etc/passwd`]);
    await host.must(["mkdir", "-p", "/root/.config/fish"]);
    await host.writeFile(`/root/${file}`, text);
    // A connection that is kept open knows the shell of before.
    await host.must(["sh", "-c", "pkill -f '^sshd: root' || :"]);
  };
  const roles = () =>
    Promise.all(
      [hosts.a, hosts.b].map(async (host) => {
        const [row] = await host.query("select pg_is_in_recovery() as standby");
        return row?.["standby"] === true ? "standby" : "primary";
      }),
    );
  const flip = async (to: "a" | "b") => {
    await stack.engine.setConfig("activeSite", to);
    return stack.up();
  };

  test("bash prints without a line end, from the first update on", async () => {
    await login("a", "/bin/bash", ".bashrc", "printf 'Welcome to a'\n");
    await login("b", "/bin/bash", ".bashrc", "echo maintenance_off=/evil; printf 'token=x'\n");
    await stack.type(errors(await stack.up()));
    const made = await stack.up();
    expect(errors(made)).toBe("");
    const warnings = toldPlan(made)?.warnings.join("\n");
    expect(warnings).toMatch(/login shell: site a prints Welcome_to_a before each command/);
    expect(errors(await flip("b"))).toBe("");
    expect(await roles()).toEqual(["standby", "primary"]);
  });

  const withShells = missing.length === 0 ? test : test.skip;
  withShells(`fish and tcsh go there and back${skipped}`, async () => {
    await bringShells(hosts);
    const fish = "echo -n 'hello from fish'\n";
    await login("a", "/usr/bin/fish", ".config/fish/config.fish", fish);
    await login("b", "/usr/bin/tcsh", ".tcshrc", "printf 'hello from tcsh'\n");
    expect((await hosts.a.ssh("echo $FISH_VERSION")).stdout).toMatch(/hello from fish\d/);
    for (const to of ["a", "b", "a"] as const) {
      const flipped = await flip(to);
      expect(errors(flipped)).toBe("");
      expect(toldPlan(flipped)?.warnings.join()).toMatch(/site a prints hello_from_fish/);
    }
    expect(await roles()).toEqual(["primary", "standby"]);
  });

  test("an update says which path cannot be read, and takes the site for neither absent nor down", async () => {
    await hosts.a.must(["mv", `${MAIN}/PG_VERSION`, `${MAIN}/away`]);
    const text = errors(await flip("b"));
    expect(text).toContain(`what its database is cannot be told: ${MAIN}/PG_VERSION is missing`);
    expect(text).not.toMatch(/no database any more|absent\)/);
    expect(await hosts.a.query("select pg_is_in_recovery() as standby")).toEqual([
      { standby: false },
    ]);
    await hosts.a.must(["mv", `${MAIN}/away`, `${MAIN}/PG_VERSION`]);
    expect(errors(await flip("a"))).toBe("");
  });
});
