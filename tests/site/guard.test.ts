import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signWitness } from "../../sites/witness";
import { signalProcess, until } from "../../lab/postgres/processes";
import { BootingSite, held, ours, record, sign } from "./booting";
import { FakeSite, newKey } from "./harness";

/** Invariant: whatever is asked and answered, standby.signal lies there first, and only one cell takes it away. */

/** What two servers answer; undefined is silence. */
const witnesses: Record<string, readonly (string | undefined)[]> = {
  "names this site": [ours, ours],
  "names this site, one server silent": [ours, undefined],
  "names the other site": [sign({ epoch: 5, from: "a", to: "b" })],
  "is gone": ["", ""],
  "is of an old epoch": [sign({ epoch: 3 })],
  "is forged": [ours.replace("epoch=4", "epoch=5")],
  "has another signer": [signWitness(newKey(), record)],
  "has two values": [ours, sign({ from: "a", to: "b" })],
  "differs from the own record": [sign({ kind: "failover" })],
  "cannot be asked": [undefined, undefined],
};
const peers: Record<string, string> = {
  "standby, same epoch": `standby 4 a ${held}`,
  primary: "primary 4 a",
  "standby of another epoch": "standby 3 a",
  "standby, for itself": "standby 4 b",
  silent: "",
};

let site: BootingSite;
beforeEach(() => {
  site = new BootingSite();
});
afterEach(() => site.remove());

const isWriter = (witness: string, peer: string) =>
  witness.startsWith("names this site") && peer === "standby, same epoch";

const cells = Object.keys(witnesses).flatMap((witness) =>
  Object.keys(peers).map((peer) => ({ witness, peer })),
);

test.each(cells)("at boot, witness $witness, peer $peer", async ({ witness, peer }) => {
  const { code, facts } = await site.boot(witnesses[witness] ?? [], peers[peer] ?? "");
  const role = isWriter(witness, peer) ? "primary" : "standby";
  expect({ code, role: facts["role"] }).toEqual({ code: 0, role });
  expect(site.signalLies).toBe(role === "standby");
  const asked = site.log.filter((line) => !line.startsWith("pg_ctl"));
  expect(asked.every((line) => line.endsWith(" signal"))).toBe(true);
  expect(site.log.at(-1)).toBe(`pg_ctl ${role === "standby" ? "signal" : "none"}`);
});

describe("in the one right cell it still starts as a standby when", () => {
  test("the signal was there before the boot", async () => {
    writeFileSync(join(site.data, "standby.signal"), "");
    expect((await site.rightCell()).facts["role"]).toBe("standby");
    expect(site.signalLies).toBe(true);
  });

  test.each(["shut down in recovery", "in archive recovery", "starting up"])(
    "the control file says %s",
    async (state) => {
      site.control(state);
      expect((await site.rightCell()).facts["role"]).toBe("standby");
    },
  );

  test("a token says that this site was fenced in that epoch", async () => {
    site.write("token", "v1,7,1,0/1,0/2,aa,0/0,bb,4,1-test");
    expect((await site.rightCell()).facts["role"]).toBe("standby");
  });

  test("the guard has obeyed a newer epoch", async () => {
    site.write("obeyed", "5");
    expect((await site.rightCell()).facts["role"]).toBe("standby");
  });
});

test("a token of an older epoch is history", async () => {
  site.write("token", "v1,7,1,0/1,0/2,aa,0/0,bb,3,1-test");
  expect((await site.rightCell()).facts["role"]).toBe("primary");
});

test("it stores the epoch it has obeyed, and tells why it acts", async () => {
  const { facts } = await site.boot([sign({ epoch: 6, from: "a", to: "b" })], "");
  expect(readFileSync(join(site.state, "obeyed"), "utf8")).toBe("6\n");
  expect(facts["reason"]).toBe("the_witness_of_epoch_6_names_site_b");
});

test("what a verb has on its way under the same name does not stop it", async () => {
  mkdirSync(join(site.state, "obeyed.new"));
  await site.boot([sign({ epoch: 6, from: "a", to: "b" })], "");
  expect(readFileSync(join(site.state, "obeyed"), "utf8")).toBe("6\n");
});

describe("whom it follows", () => {
  const settings = () => readFileSync(join(site.data, "postgresql.auto.conf"), "utf8");

  test("an old primary follows nobody", async () => {
    await site.boot([], "");
    expect(settings()).toContain("primary_conninfo = ''\nrestore_command = ''\n");
  });

  test("a standby of this pair goes on as it was", async () => {
    writeFileSync(join(site.data, "standby.signal"), "");
    site.control("in archive recovery");
    site.write("record", "epoch=4 from=a to=b kind=switchover");
    await site.boot([], "");
    expect(settings()).toBe("primary_conninfo = 'host=old'\n");
  });

  test("a site that the record calls primary follows nobody, even as a standby", async () => {
    writeFileSync(join(site.data, "standby.signal"), "");
    site.control("in archive recovery");
    await site.boot([], "");
    expect(settings()).toContain("primary_conninfo = ''");
  });
});

test("a running server is left alone, a second boot included", async () => {
  await site.rightCell();
  const { facts } = await site.boot([], "");
  expect(facts["role"]).toBe("running");
  expect(site.signalLies).toBe(false);
});

test("without a database there is nothing to start", async () => {
  const empty = new FakeSite();
  expect((await empty.guard("boot", empty.input())).facts).toEqual({ role: "absent" });
  await empty.remove();
});

describe("the running guard", () => {
  // Its process ends with the site's folder: every process that works below it is ended by remove().
  const run = (environment: Readonly<Record<string, string>>) => {
    const conf = site.input({ servers: "", guard: "200 3000 9000 lease" });
    Object.assign(process.env, environment);
    void site.guard("run", conf);
    for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name);
  };
  const heartbeat = async (): Promise<string> => {
    const file = join(site.state, "guard.live");
    await until("the guard's heartbeat", 10_000, () => existsSync(file));
    return readFileSync(file, "utf8");
  };
  beforeEach(() => {
    site.program("systemd-notify", `echo "$*" >>'${site.dir}/notified'`);
  });
  afterEach(async () => {
    const [pid] = (await heartbeat()).split(" ");
    signalProcess(Number(pid), "SIGKILL");
  });

  // 200 ms poll, 3 s for asking and 1 s to spare: a watchdog of 3 s, its lease, would end a guard that only waits.
  test("gives the service manager's watchdog the time of a whole poll", async () => {
    run({ NOTIFY_SOCKET: "/none" });
    await heartbeat();
    expect(readFileSync(join(site.dir, "notified"), "utf8")).toMatch(
      /^--ready WATCHDOG_USEC=4200000\n/,
    );
  });

  test("is not supervised where the watchdog is slower than a lease", async () => {
    run({ NOTIFY_SOCKET: "/none" });
    expect(await heartbeat()).toMatch(/ no lease no 9000\n$/);
  });

  test("is not supervised where nobody manages it", async () => {
    run({});
    expect(await heartbeat()).toMatch(/ no lease no 9000\n$/);
  });
});
