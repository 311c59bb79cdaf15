import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DivergedPair } from "../../lab/divergedPair";
import type { SiteId } from "./harness";
import { Pair } from "./harness";

jest.setTimeout(180_000);

/** What a server says of its settings, and what its own file still notes. */
async function settings(pair: Pair, site: SiteId) {
  const [row] = await pair
    .site(site)
    .query<{ names: string; restore: string; conninfo: string }>(
      "select current_setting('synchronous_standby_names') as names, current_setting('restore_command') as restore, current_setting('primary_conninfo') as conninfo",
    );
  const file = readFileSync(join(pair.site(site).dataDirectory, "postgresql.auto.conf"), "utf8");
  return { ...row, noted: file.split("\n").filter((line) => line.startsWith("standby.kept_")) };
}

describe("synchronous_standby_names", () => {
  let pair: Pair;
  let epoch = 2;
  beforeAll(async () => {
    pair = await Pair.streaming();
    await pair.a.query("create table ledger(n int)");
  });
  afterAll(() => pair.close());

  const set = async (site: SiteId, names: string) => {
    await pair.site(site).query(`alter system set synchronous_standby_names = '${names}'`);
    await pair.site(site).query("select pg_reload_conf()");
  };

  test.each(["*", "standby_b", "FIRST 1 (standby_b)", 'ANY 1 ("standby_b", other)'])(
    "%s is back at the new primary once the other site streams",
    async (names) => {
      const [first] = await pair.a.query<{ primary: boolean }>(
        "select not pg_is_in_recovery() as primary",
      );
      const [from, to]: [SiteId, SiteId] = first?.primary === true ? ["a", "b"] : ["b", "a"];
      const own = names.replaceAll("standby_b", `standby_${to}`);
      await set(from, own);
      await set(to, own);
      await pair.switchover(from, to, epoch++);
      const now = await settings(pair, to);
      expect(now).toMatchObject({
        names: own.replaceAll(`standby_${to}`, `standby_${from}`),
        noted: [],
      });
      await pair.site(to).query("insert into ledger values (1)");
    },
  );
  test("one in postgresql.conf is left there", async () => {
    await set("a", "");
    await set("b", "");
    for (const site of ["a", "b"] as const) {
      await pair.site(site).query("alter system reset synchronous_standby_names");
      appendFileSync(
        join(pair.site(site).dataDirectory, "postgresql.conf"),
        "synchronous_standby_names = '*'\n",
      );
      await pair.site(site).query("select pg_reload_conf()");
    }
    await pair.switchover("a", "b", epoch++);
    const file = readFileSync(join(pair.b.dataDirectory, "postgresql.auto.conf"), "utf8");
    expect(await settings(pair, "b")).toMatchObject({ names: "*", noted: [] });
    expect(file).not.toMatch(/synchronous_standby_names/);
  });

  test("a list that the pair cannot meet is named, and hangs no commit", async () => {
    await set("a", "FIRST 2 (standby_b, third)");
    const lines = pair.epoch(epoch, "b", "a", "switchover");
    const fence = await pair.holds("b", "fence", { value: "stop", ...lines });
    const token = fence.facts["token"] ?? "";
    await pair.holds("a", "verify", { value: "token", ...lines, token });
    await pair.holds("a", "promote", { value: "permit", ...lines });
    await pair.holds("b", "rejoin", { value: "rejoin", ...lines });
    const settled = await pair.holds("a", "settle", lines);
    expect(settled.stderr).toMatch(
      /it was 'FIRST 2 \(standby_b, third\)', which site b does not meet now: set it by hand/,
    );
    await pair.a.query("insert into ledger values (2)");
    const { kept_names = "" } = await pair.observe("a");
    expect(Buffer.from(kept_names, "base64").toString()).toBe("FIRST 2 (standby_b, third)");
    expect(await settings(pair, "a")).toMatchObject({
      names: "",
      noted: [expect.stringContaining("FIRST 2")],
    });
  });
});

describe("a returned site's own settings", () => {
  let world: DivergedPair;
  beforeAll(async () => {
    world = await DivergedPair.create();
  });
  afterAll(() => world.pair.close());

  test("come back after a rewind: restore_command, names, and what a person added to primary_conninfo", async () => {
    const { pair } = world;
    for (const [name, value] of [
      ["restore_command", 'false %f "%p"'],
      ["synchronous_standby_names", "*"],
    ]) {
      await pair.a.query(`alter system set ${name ?? ""} = '${value ?? ""}'`);
    }
    const added = "host=old port=1 sslmode=prefer channel_binding=disable";
    await pair.a.query(`alter system set primary_conninfo = '${added}'`);
    await world.diverge();
    const done = await world.rejoin({ discard_delta: world.epoch });
    expect([done.code, done.facts["way"]]).toEqual([0, "rewind"]);
    const now = await settings(pair, "a");
    expect(now).toMatchObject({ restore: 'false %f "%p"', names: "*", noted: [] });
    expect(now.conninfo).toMatch(/^host=\S+ port=\d+ .* sslmode=prefer channel_binding=disable$/);
    expect(done.stderr).toMatch(/restore_command is back/);
  });

  test("leave no line behind where nothing was set", async () => {
    const { pair } = world;
    await world.diverge();
    await world.rejoin({ discard_delta: world.epoch });
    const file = readFileSync(join(pair.b.dataDirectory, "postgresql.auto.conf"), "utf8");
    expect(file).not.toMatch(/restore_command|kept_restore|kept_primary/);
  });

  test("a delay that goes is named", async () => {
    const { pair } = world;
    await pair.site(world.serving).query("alter system set recovery_min_apply_delay = '1h'");
    await world.diverge();
    const done = await world.rejoin({ discard_delta: world.epoch });
    expect(done.stderr).toMatch(/recovery_min_apply_delay was '1h' here and is 0 now/);
  });
});
