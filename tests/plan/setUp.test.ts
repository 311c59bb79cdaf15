import { parseSiteFacts, type Observed } from "../../plan/observed";
import { plan } from "../../plan/plan";
import type { Refusal } from "../../plan/step";
import { scripts, wish } from "./wish";

/** Two hosts before a pair is made of them: all that is wrong is said at once, with the lines to type. */

type Facts = Readonly<Record<string, string>>;

/** A primary of Debian's that has all a pair needs. */
const primary: Facts = {
  ...{ role: "primary", version: "15", programs: "15", control_state: "in_production" },
  ...{ system_identifier: "7", timeline: "1", lsn: "0/1000", clock: "1000", data_size: "1000000" },
  ...{
    config_file: "/etc/postgresql/15/main/postgresql.conf",
    account: "postgres",
    init: "systemd",
  },
  ...{ login: "-", live_port: "5432", live_socket: "/var/run/postgresql", superuser: "on" },
  ...{ listens: "yes", listen: "_", unmet: "-", blank: "no", majors: "15" },
  ...{ locales: "C.UTF-8,en_US.UTF-8", libraries: "plpgsql,pg_trgm" },
};
/** A host with PostgreSQL and room, and no data. */
const empty: Facts = {
  ...{ role: "absent", programs: "15", clock: "1000", majors: "15,17", account: "postgres" },
  ...{ config_file: "/etc/postgresql/15/main/postgresql.conf", init: "systemd" },
  ...{ contents: "missing", free: "2000000", port_taken: "no", mount: "no", peer_port: "open" },
  ...{ has_locales: "C,C.utf8,POSIX,en_US.utf8", has_libraries: "plpgsql,pg_trgm,dblink" },
};

const text = (facts: Facts) =>
  Object.entries(facts)
    .map(([key, value]) => `${key}=${value}`)
    .join("\n");

function refusals(a: Facts, b: Facts, activeSite: "a" | "b" = "a"): readonly Refusal[] {
  const seen: Observed = {
    sites: { a: parseSiteFacts(text(a)), b: parseSiteFacts(text(b)) },
    dns: { writable: true, witness: { status: "absent" }, pivots: [{ status: "absent" }] },
  };
  return plan(wish({ activeSite }), seen, scripts).refusals;
}
const codes = (found: readonly Refusal[]) => found.map(({ code }) => code);

test("two hosts that have everything are not refused", () => {
  expect(refusals(primary, empty)).toEqual([]);
});

test("all settings of a fresh server are one list with one restart", () => {
  const fresh = {
    ...primary,
    ...{ listens: "no", listen: "localhost", data_size: "1" },
    unmet: "wal_log_hints:on:off,max_wal_senders:10:2",
  };
  const [only, ...more] = refusals(fresh, { ...empty, peer_port: "closed" });
  expect(more).toEqual([]);
  expect(only).toEqual({
    code: "settings",
    what: "site a: PostgreSQL needs other settings, which it takes up at a restart: wal_log_hints is off; max_wal_senders is 2; listen_addresses is 'localhost', by which nobody reaches db-a",
    hint: [
      "one restart is enough; at site a (ssh a):",
      `  runuser -u postgres -- psql -c "alter system set wal_log_hints = on" -c "alter system set max_wal_senders = 10" -c "alter system set listen_addresses = '*'"`,
      "  systemctl restart postgresql@15-main",
    ].join("\n"),
  });
});

test("a site that is entered as the owner gets its lines for that account, with sudo where root is needed", () => {
  const mine = { ...primary, account: "-", entered_as: "postgres" };
  const found = refusals({ ...mine, unmet: "wal_log_hints:on:off", unmade: "/s/a" }, empty);
  expect(found.map(({ hint }) => hint).join("\n")).toContain(
    [
      "at site a (ssh a):",
      "  sudo install -d -o postgres -m 0700 /s/a",
      "one restart is enough; at site a (ssh a):",
      '  psql -c "alter system set wal_log_hints = on"',
      "  sudo systemctl restart postgresql@15-main",
    ].join("\n"),
  );
});

test("an address that is translated on the way is believed when the other site gets an answer", () => {
  expect(refusals({ ...primary, listens: "no", listen: "10.0.0.5" }, empty)).toEqual([]);
});

describe("what each site lacks has a refusal of its own, before anything is written", () => {
  test.each<[string, Facts, Facts, string]>([
    ["PostgreSQL 13", { version: "13", programs: "13" }, { majors: "13" }, "oldest-version"],
    ["PostgreSQL 9.6", { version: "9.6", programs: "9.6" }, { majors: "9.6" }, "oldest-version"],
    ["no superuser", { superuser: "off" }, {}, "superuser"],
    ["no answer at the login", { login: "FATAL:__role__x_", role: "starting" }, {}, "login"],
    ["another port", { live_port: "5433", login: "cluster:/data/x", role: "unclear" }, {}, "port"],
    ["a link", { link: "/mnt/main" }, {}, "data-link"],
    ["a home that is missing", { home: "/nowhere", home_lacking: "missing" }, {}, "home"],
    ["a closed folder", { blocked: "/var/lib/standby" }, {}, "folder-closed"],
    ["two configurations", { config_choices: "/etc/x,/etc/y" }, {}, "config-file"],
    ["a configuration that cannot be read", { config_readable: "no" }, {}, "config-file"],
    ["a closed folder at b", {}, { blocked: "/data" }, "folder-closed"],
    ["no programs of that version", {}, { majors: "16,17" }, "versions"],
    ["no configuration", {}, { config_file: "-" }, "no-config"],
    ["something else in its place", {}, { contents: "foreign" }, "data-foreign"],
    ["a place it may not see", {}, { contents: "closed", role: "unclear" }, "data-closed"],
    ["a mount point", {}, { mount: "yes", contents: "empty" }, "data-mount"],
    ["a file system's root", {}, { contents: "lost+found" }, "data-mount"],
    ["a port that is taken", {}, { port_taken: "yes" }, "port-taken"],
    ["no room", {}, { free: "1050000" }, "disk"],
    ["no locale", {}, { has_locales: "C,C.utf8,POSIX" }, "locales"],
    ["no library", {}, { has_libraries: "plpgsql" }, "libraries"],
    ["no way to the other site", {}, { peer_port: "closed" }, "peer-port"],
  ])("%s", (_, a, b, code) => {
    const found = refusals({ ...primary, ...a }, { ...empty, ...b });
    expect(codes(found)).toContain(code);
    for (const one of found) expect(one.hint).not.toBe("");
  });
});

test("what is wrong at both sites is said at once", () => {
  const found = refusals(
    { ...primary, unmet: "wal_level:replica:minimal", superuser: "off" },
    { ...empty, contents: "foreign", free: "5", majors: "14" },
  );
  expect(codes(found)).toEqual(["superuser", "settings", "data-foreign", "versions", "disk"]);
});

test("an empty site with several majors has the primary's, whichever is the newest", () => {
  expect(refusals(primary, { ...empty, programs: "17", majors: "15,17" })).toEqual([]);
  const found = refusals(primary, { ...empty, programs: "17", majors: "16,17" });
  expect(codes(found)).toEqual(["versions"]);
});

test("nothing is judged by what a site did not say", () => {
  const silent = { role: "absent", programs: "15", clock: "1000" };
  const { role, version, system_identifier: id = "" } = primary;
  const quiet = { role, version, programs: "15", clock: "1000", system_identifier: id };
  expect(refusals(quiet as Facts, silent)).toEqual([]);
});

describe("a database of its own at the other site", () => {
  const own: Facts = {
    ...primary,
    system_identifier: "8",
    listens: "no",
    unmet: "wal_log_hints:on:off",
  };

  test("Debian's empty one is put aside, its configuration stays", () => {
    const [only, ...more] = refusals(primary, { ...own, blank: "yes" });
    expect(more).toEqual([]);
    expect(only?.what).toContain("site b: /data/b holds an empty database cluster of its own");
    expect(only?.hint).toContain(
      "(/etc/postgresql/15/main/postgresql.conf) stays and is used; at site b (ssh b):\n  systemctl stop postgresql@15-main\n  mv /data/b /data/b.aside",
    );
  });

  test("one with data in it is not called empty, and a stopped one is not either", () => {
    const [full] = refusals(primary, own);
    expect(full?.what).toContain("with tables or databases in it");
    expect(full?.hint).toContain("if nobody needs it there, put it aside");
    const { blank: _, ...unknown } = own;
    const [down] = refusals(primary, { ...unknown, role: "down" });
    expect(down?.code).toBe("other-cluster");
    expect(down?.what).toContain("nobody can say what is in it");
    expect(down?.hint).not.toContain("systemctl stop");
  });

  test("a wish that names the empty one never leads to the other one's removal", () => {
    const found = refusals(primary, { ...own, blank: "yes" }, "b");
    expect(codes(found)).toEqual(["wish-names-empty-site"]);
    expect(found.map(({ hint }) => hint).join("\n")).not.toContain("mv ");
  });

  test("an empty cluster does not turn the wish round when the data directory is wrong", () => {
    const wrong = { ...empty, contents: "foreign", inner: "/data/a/main" };
    const found = refusals(wrong, { ...own, blank: "yes" });
    expect(codes(found)).toEqual(["no-primary", "data-foreign"]);
    expect(found[1]?.hint).toContain('dataDirectory: "/data/a/main"');
  });
});

test("a standby that has less than its primary is told before the pair is made", () => {
  const standby = {
    ...primary,
    ...{ role: "standby", streaming: "yes", "set.max_connections": "50" },
  };
  const [only] = refusals({ ...primary, "set.max_connections": "200" }, standby);
  expect(only?.code).toBe("settings");
  expect(only?.hint).toContain('-c "alter system set max_connections = 200"');
});
