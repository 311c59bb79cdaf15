import { execFileSync } from "node:child_process";
import { scriptText } from "../../plan/scripts";
import { loadScripts } from "../../sites/scripts";

/**
 * A host as Debian lays it out: root enters, the programs lie below /usr/lib/postgresql, the configuration below
 * /etc/postgresql. Each case has folders of its own over the machine's, in a mount namespace that ends with it.
 */

const isRoot = process.getuid?.() === 0;
const onHost = isRoot ? test : test.skip;
const why = isRoot ? "" : " (skipped: not root)";

const scripts = loadScripts();
const USUAL = { name: "shop", site: "b", peer: "a", run: "1-test", superuser: "postgres" };

/** What a verb says on a host that `arrange` has made; `after` is run behind it. */
function said(
  arrange: string,
  verb: string,
  input: Readonly<Record<string, string>>,
  after = "",
): string {
  const lines = Object.entries({ ...USUAL, ...input }).map(([key, value]) => `${key}=${value}`);
  const text = `${scriptText(scripts, "lib")}\n${scriptText(scripts, verb)}\nmain <<'STANDBY_INPUT'\n${lines.join("\n")}\nSTANDBY_INPUT\n`;
  const script = `for folder in /usr/lib/postgresql /etc/postgresql /var/lib /srv; do mkdir -p $folder; mount -t tmpfs -o mode=755 none $folder; done
cd /
programs() { for major; do mkdir -p /usr/lib/postgresql/$major/bin; cp /bin/true /usr/lib/postgresql/$major/bin/postgres; done; }
configuration() { mkdir -p /etc/postgresql/$1; echo "data_directory = '$2'  # a comment" >/etc/postgresql/$1/postgresql.conf; }
${arrange}
sh -s 2>&1 <<'STANDBY_VERB'
${text}
STANDBY_VERB
echo code=$?
${after}
exit 0
`;
  return execFileSync("unshare", ["--mount", "--propagation", "private", "sh", "-s"], {
    input: script,
    encoding: "utf8",
  });
}

const observed = (arrange: string, data = "/srv/main") =>
  said(arrange, "postgres/observe", { state: "/var/lib/standby/shop", data });

describe("the programs", () => {
  const found = (arrange: string) => /^programs=(.*)$/m.exec(observed(arrange))?.[1];

  onHost(`are the newest by number, not by name, where there is no data yet${why}`, () => {
    expect(found("programs 9.6 10 15")).toBe("15");
    expect(found("programs 9.6 10")).toBe("10");
    expect(found("programs 15 9.6 17 old 15.bak backup-18")).toBe("17");
    expect(found("programs 16; mkdir -p /usr/lib/postgresql/18/bin")).toBe("16");
  });

  onHost(`are those of the data, whatever else is installed${why}`, () => {
    const data = (major: string) => `mkdir /srv/main; echo ${major} >/srv/main/PG_VERSION`;
    expect(found(`programs 9.6 15 17; ${data("15")}`)).toBe("15");
    expect(found(`programs 9.6 15; ${data("15")}`)).toBe("15");
  });

  onHost(`are those of the configuration of a site that is still empty${why}`, () => {
    expect(found("programs 15 17; configuration 15/main /srv/main")).toBe("15");
  });
});

describe("the configuration", () => {
  const found = (arrange: string) => {
    const text = observed(`programs 15; ${arrange}`);
    return [/^config_file=(.*)$/m.exec(text)?.[1], /^config_choices=(.*)$/m.exec(text)?.[1]];
  };

  onHost(`is the one below /etc/postgresql whose data_directory is ours${why}`, () => {
    expect(found("configuration 15/main /srv/other; configuration 15/shop /srv/main")).toEqual([
      "/etc/postgresql/15/shop/postgresql.conf",
      "-",
    ]);
    expect(found("configuration 15/main /srv/other")).toEqual(["-", "-"]);
    expect(
      found("mkdir /srv/main; ln -s /srv/main /srv/link; configuration 15/main /srv/link/"),
    ).toEqual(["/etc/postgresql/15/main/postgresql.conf", "-"]);
  });

  onHost(`is not guessed where several fit${why}`, () => {
    expect(found("configuration 15/main /srv/main; configuration 15/shop /srv/main")).toEqual([
      "-",
      "/etc/postgresql/15/main/postgresql.conf,/etc/postgresql/15/shop/postgresql.conf",
    ]);
  });

  onHost(`is the one that the server was last started with${why}`, () => {
    const started = (options: string) =>
      `configuration 15/main /srv/main; configuration 15/shop /srv/main; mkdir /srv/main; echo '/usr/lib/postgresql/15/bin/postgres "-D" "/srv/main" ${options}' >/srv/main/postmaster.opts`;
    const shop = "/etc/postgresql/15/shop/postgresql.conf";
    expect(found(started(`"-c" "config_file=${shop}"`))).toEqual([shop, "-"]);
    expect(found(started(`"--config-file=${shop}"`))).toEqual([shop, "-"]);
    expect(found(`${started("")}; touch /srv/main/postgresql.conf`)).toEqual(["-", "-"]);
  });
});

describe("the folders", () => {
  const state = "/var/lib/standby/shop";
  const install = (arrange: string, more: Readonly<Record<string, string>> = {}) =>
    said(
      arrange,
      "site/install",
      { state, data: "/srv/main", ...more },
      `stat -c '%n %a %U' /var/lib/standby ${state} ${state}/log 2>&1; setpriv --reuid=postgres --regid=postgres --clear-groups touch ${state}/probe && echo writable`,
    );

  onHost(`the state folder is the owner's alone, and what leads to it is open${why}`, () => {
    const text = install("");
    expect(text).toContain("code=0");
    expect(text).toContain("/var/lib/standby 755 root\n/var/lib/standby/shop 700 postgres\n");
    expect(text).toContain("/var/lib/standby/shop/log 700 postgres\nwritable");
  });

  onHost(
    `a folder on the way that the owner cannot enter is named with the line to type${why}`,
    () => {
      const text = install("mkdir -m 0700 /var/lib/standby");
      expect(text).toContain("code=77");
      expect(text).toContain(
        "site b: postgres cannot enter /var/lib/standby, which leads to /var/lib/standby",
      );
      expect(text).toContain("HINT: type at this site, as root: chmod o+x /var/lib/standby;");
      const file = install("touch /var/lib/standby");
      expect(file).toContain("code=77");
      expect(file).toContain("which is no folder");
    },
  );

  onHost(`a state folder that root made before is given to the owner${why}`, () => {
    const text = install(`mkdir -p ${state}/log; chmod 700 ${state} ${state}/log`);
    expect(text).toContain("code=0");
    expect(text).toContain("/var/lib/standby/shop 700 postgres\n");
    expect(text).toContain("writable");
  });
});

describe("what runs as the database's owner", () => {
  onHost(`has the owner's home: a psql that looks in root's cannot encrypt${why}`, () => {
    const text = `${scriptText(scripts, "lib")}\nhome=/var/lib/postgresql switch_user=postgres\nas_owner sh -c 'echo "$HOME $(id -un)"'\necho "$HOME"\n`;
    const env = { ...process.env, HOME: "/root" };
    expect(execFileSync("sh", ["-s"], { input: text, encoding: "utf8", env })).toBe(
      "/var/lib/postgresql postgres\n/root\n",
    );
  });
});
