import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { guardHash } from "../../sites/guardProgram";
import { FakeSite, scripts } from "./harness";

let site: FakeSite;
beforeEach(() => {
  site = new FakeSite();
});
afterEach(() => site.remove());

const file = (name: string) => join(site.dir, name);
const log = () =>
  existsSync(file("log")) ? readFileSync(file("log"), "utf8").trim().split("\n") : [];

/** A service that is up while its file exists, and notes what is done to it. */
function service(
  name: string,
  kind: string,
  wave: number,
  change: Partial<Record<string, string>> = {},
): string {
  const up = file(`${name}.up`);
  return [
    `service=${name} ${kind} ${wave}`,
    `service_start=${change["start"] ?? `echo start ${name} >>'${file("log")}'; : >'${up}'`}`,
    `service_stop=${change["stop"] ?? `echo stop ${name} >>'${file("log")}'; rm -f '${up}'`}`,
    `service_healthy=${change["healthy"] ?? `[ -e '${up}' ]`}`,
    "",
  ].join("\n");
}
const shop = () =>
  service("web-one", "web", 2) +
  service("mailer", "worker", 1) +
  service("web-two", "web", 2) +
  service("cache", "web", 1);
const up = (...names: readonly string[]) => {
  names.forEach((name) => {
    writeFileSync(file(`${name}.up`), "");
  });
};
const run = (action: string, lines: string, more: Record<string, string> = {}) =>
  site.verb("site/services", { action, kinds: "all", ...more }, lines);

test("starts wave by wave", async () => {
  const { code, facts } = await run("start", shop());
  expect({ code, facts }).toEqual({
    code: 0,
    facts: {
      "service.mailer": "running",
      "service.web-one": "running",
      "service.web-two": "running",
      "service.cache": "running",
    },
  });
  expect(log().slice(0, 2).sort()).toEqual(["start cache", "start mailer"]);
  expect(log().slice(2).sort()).toEqual(["start web-one", "start web-two"]);
});

test("leaves what is healthy alone", async () => {
  up("mailer", "web-one", "web-two", "cache");
  expect((await run("start", shop())).code).toBe(0);
  expect(log()).toEqual([]);
});

test("a wave that does not get healthy stops the next one, and says which service it is", async () => {
  const lines =
    service("cache", "web", 1, { start: "echo no disk; exit 1" }) + service("web", "web", 2);
  const { code, stderr } = await run("start", lines, { step_bound: "1" });
  expect(code).toBe(75);
  expect(stderr).toContain("service cache is not running");
  expect(stderr).toContain("no disk");
  expect(log()).toEqual([]);
});

test("stops the workers before any web service", async () => {
  up("mailer", "web-one", "web-two", "cache");
  const { code, facts } = await run("stop", shop());
  expect(code).toBe(0);
  expect(new Set(Object.values(facts))).toEqual(new Set(["stopped"]));
  expect(log()[0]).toBe("stop mailer");
  expect(log()).toHaveLength(4);
});

test("a stop that returns early is waited for until the service is gone", async () => {
  up("job");
  const slow = service("job", "worker", 1, {
    stop: `(sleep 0.3; rm -f '${file("job.up")}') </dev/null >/dev/null 2>&1 &`,
  });
  const { code, facts } = await run("stop", slow);
  expect({ code, facts }).toEqual({ code: 0, facts: { "service.job": "stopped" } });
  expect(existsSync(file("job.up"))).toBe(false);
});

test("a service that will not go means try later", async () => {
  up("job");
  const stuck = service("job", "worker", 1, { stop: "true" });
  expect((await run("stop", stuck, { step_bound: "1" })).code).toBe(75);
});

test("acts on one kind only when told so", async () => {
  up("mailer", "web-one");
  expect((await run("stop", shop(), { kinds: "worker" })).facts).toEqual({
    "service.mailer": "stopped",
  });
  expect(existsSync(file("web-one.up"))).toBe(true);
});

test("a look changes nothing and needs no transition", async () => {
  up("mailer");
  const { code, facts } = await run("check", shop(), { epoch: "", run: "" });
  expect(code).toBe(0);
  expect(facts).toMatchObject({ "service.mailer": "running", "service.cache": "stopped" });
  expect(log()).toEqual([]);
  expect(existsSync(join(site.state, "run"))).toBe(false);
});

test("a look that expects something says what is wrong", async () => {
  up("mailer");
  const { code, stderr } = await run("check", shop(), { value: "stopped" });
  expect(code).toBe(75);
  expect(stderr).toContain("not stopped: mailer");
});

test("a service that is started does not inherit what verbs set for themselves", async () => {
  const lines = service("web", "web", 1, {
    start: `env >'${file("environment")}'; umask >>'${file("environment")}'; ls -l /proc/self/fd >>'${file("environment")}'; : >'${file("web.up")}'`,
  });
  expect((await run("start", lines)).code).toBe(0);
  const environment = readFileSync(file("environment"), "utf8");
  expect(environment).not.toMatch(/^(PGOPTIONS|PGPASSFILE|PGAPPNAME|LC_ALL)=/m);
  expect(environment).toMatch(/^0022$/m);
  expect(environment).not.toContain(join(site.state, "lock"));
});

test.each([
  ["an older run", { run: "1-test" }, "2-other"],
  ["a rival run", { run: "2-test" }, "2-other"],
])("%s is refused before anything is touched", async (_, more, known) => {
  up("mailer");
  writeFileSync(join(site.state, "run"), `${known}\n`);
  expect((await run("stop", shop(), more)).code).toBe(77);
  expect(log()).toEqual([]);
});

describe("maintenance", () => {
  const own = () => ({
    maintenance_on: `echo on >>'${file("log")}'`,
    maintenance_off: `echo off >>'${file("log")}'`,
  });
  const turn = (value: string, more: Record<string, string> = {}) =>
    site.verb("site/maintenance", { value, ...more });
  const marked = () => existsSync(join(site.state, "maintenance"));

  test("goes on and off, and calls the user's commands", async () => {
    expect((await turn("on", own())).facts).toEqual({ maintenance: "on" });
    expect(marked()).toBe(true);
    expect((await turn("off", own())).facts).toEqual({ maintenance: "off" });
    expect(marked()).toBe(false);
    expect(log()).toEqual(["on", "off"]);
  });

  test("twice is the same as once", async () => {
    await turn("on");
    expect((await turn("on")).code).toBe(0);
    await turn("off");
    expect((await turn("off")).code).toBe(0);
  });

  test("stays marked when the user's command fails, and says which", async () => {
    await turn("on");
    const { code, stderr } = await turn("off", { maintenance_off: "exit 3" });
    expect(code).toBe(75);
    expect(stderr).toContain("status 3: exit 3");
    expect(marked()).toBe(true);
  });
});

describe("install", () => {
  const install = (more: Record<string, string> = {}) =>
    site.verb("site/install", {
      servers: "192.0.2.1#53 192.0.2.2",
      keys: "0a=b=",
      epoch: "",
      ...more,
    });

  test("leaves a guard that runs by itself", async () => {
    const { code, facts } = await install({ host: "192.0.2.7" });
    expect({ code, server_count: facts["server_count"] }).toEqual({ code: 0, server_count: "2" });
    expect(facts["guard"]).toMatch(/^[0-9a-f]{64}$/);
    const conf = readFileSync(join(site.state, "guard.conf"), "utf8");
    expect(conf).toContain("servers=192.0.2.1#53 192.0.2.2\n");
    const { facts: status } = await site.guard("status", conf);
    expect(status).toMatchObject({ guard_running: "no", obeyed: "-", postgresql: "down" });
    // What the settings leave is stated in milliseconds: 2 s poll, 3 s for asking, 13 s for the stop; a veto waits
    // for two looks of two questions of 3 s at the most.
    expect(status).toMatchObject({ guard_bound: "30000", veto_bound: "27000" });
  });

  test("is the same guard each time, and the one the runner expects", async () => {
    expect((await install()).facts["guard"]).toBe(guardHash(scripts));
    expect((await install()).facts["guard"]).toBe(guardHash(scripts));
  });

  test("never replaces known name servers by none", async () => {
    await install();
    expect((await install({ servers: "" })).facts["server_count"]).toBe("2");
  });

  test("writes no secret", async () => {
    await install({ password: "hunter2" });
    expect(readFileSync(join(site.state, "guard.conf"), "utf8")).not.toContain("hunter2");
  });
});

describe("outside", () => {
  const look = (value: string) => {
    site.program(
      "dig",
      `case $* in *www*) printf 'www.shop.test.\\t60\\tIN\\tCNAME\\tactive.shop.test.\\nactive.shop.test.\\t60\\tIN\\tA\\t192.0.2.10\\n' ;; esac`,
    );
    return (names: string) =>
      site.verb("site/outside", {
        value,
        hostnames: names,
        address: "192.0.2.10",
        servers: "192.0.2.1",
        step_bound: "1",
      });
  };

  test("follows a name to the address", async () => {
    expect(await look("yes")("www.shop.test")).toMatchObject({
      code: 0,
      facts: { names_a: "1", of_a: "1" },
    });
  });
  test("names the one that does not lead there", async () => {
    const { code, facts, stderr } = await look("yes")("www.shop.test api.shop.test");
    expect({ code, facts }).toEqual({ code: 75, facts: { names_a: "1", of_a: "2" } });
    expect(stderr).toContain("not yet: api.shop.test");
  });
  test("only reports while DNS is pending", async () => {
    expect((await look("pending")("api.shop.test")).code).toBe(0);
  });
});
