/** The rules of the engine that the recorded scenarios do not touch, one small program each. */
import type { Engine } from "../../../lab/engine/engine";
import { Api, Bench, bench, describeOn, named, startApi } from "./workbench";

jest.setTimeout(60_000);
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const RECORD = `const provider = new cloudflare.Provider("cf", { baseUrl: process.env.API, apiToken: "t".repeat(40) });
  const record = (options, content = "one.test") => new cloudflare.DnsRecord("record",
    { zoneId: "z", name: "www.test", type: "CNAME", ttl: 60, proxied: false, content }, { provider, ...options });`;

for (const kind of ["lab", "pulumi"] as const) describeOn(kind, "the rules", () => rules(kind));

function rules(kind: "lab" | "pulumi"): void {
  let api: Api;
  let place: Bench;
  let engine: Engine;
  const program = async (source: string): Promise<Engine> => {
    place = bench({ source });
    engine = await place.open({ API: api.baseUrl }, kind);
    return engine;
  };
  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(() => api.close());
  afterEach(() => {
    place.remove();
    api.take();
  });

  test("steps run in the order of dependsOn, independent ones at the same time", async () => {
    await program(`
      const slow = new local.Command("slow", { create: "sleep 0.3" });
      new local.Command("other", { create: "sleep 0.3" });
      new local.Command("after", { create: "true" }, { dependsOn: slow });`);
    const { steps, exitCode } = await engine.up();
    const of = (name: string) => steps.find((step) => step.urn.endsWith(`::${name}`));
    expect(exitCode).toBe(0);
    expect(of("after")?.startedAt).toBeGreaterThanOrEqual(of("slow")?.endedAt ?? Infinity);
    expect(of("other")?.startedAt).toBeLessThan(of("slow")?.endedAt ?? 0);
  });

  test("a failed step: its dependants never start, the running ones end and are recorded", async () => {
    await program(`
      const bad = new local.Command("bad", { create: "sleep 0.1; echo why >&2; exit 7" });
      new local.Command("running", { create: "sleep 0.4; echo done" });
      new local.Command("never", { create: "true" }, { dependsOn: bad });`);
    const up = await engine.up();
    const names = (await engine.exportStack()).deployment.resources?.map(
      (one) => one.urn.split("::")[3],
    );
    expect(up.exitCode).not.toBe(0);
    expect(up.diagnostics.map((one) => one.message)).toContainEqual(
      expect.stringContaining('exit status 7: running "sleep 0.1; echo why >&2; exit 7":\nwhy'),
    );
    expect(names).toContain("running");
    expect(names).not.toContain("bad");
    expect(names).not.toContain("never");
  });

  test("a failed update keeps the old state", async () => {
    await program(`new local.Command("one", { create: config.require("line") });`);
    await engine.setConfig("line", "echo first");
    await engine.up();
    await engine.setConfig("line", "exit 3");
    expect((await engine.up()).exitCode).not.toBe(0);
    expect(named(await engine.exportStack(), "one").inputs?.create).toBe("echo first");
  });

  test("update runs update, and triggers replace: the old one is deleted at the end", async () => {
    await program(`
      const one = new local.Command("one", { create: "echo c", update: "echo u$N", delete: "echo d >> " + config.require("log"),
        environment: { N: config.require("n") }, triggers: [config.require("t")] });
      exports.out = one.stdout;`);
    const log = `${place.stateDir}/log`;
    for (const [key, value] of Object.entries({ n: "1", t: "1", log }))
      await engine.setConfig(key, value);
    expect((await engine.up()).summary).toMatchObject({ create: 2 });
    expect(await engine.outputs()).toEqual({ out: "c" });
    await engine.setConfig("n", "2");
    expect((await engine.up()).summary).toMatchObject({ update: 1 });
    expect(await engine.outputs()).toEqual({ out: "u2" });
    await engine.setConfig("t", "2");
    const up = await engine.up();
    expect(up.summary).toMatchObject({ replace: 1 });
    expect(up.steps.at(-1)?.op).toBe("delete-replaced");
    expect(await engine.outputs()).toEqual({ out: "c" });
  });

  test("ignoreChanges keeps the old inputs, also of a single path, and has no say in a create", async () => {
    await program(`
      const environment = { A: config.require("a"), B: config.require("b") };
      new local.Command("all", { create: "true", environment }, { ignoreChanges: ["*"] });
      new local.Command("path", { create: "true", environment }, { ignoreChanges: ["environment.A"] });`);
    await engine.setConfig("a", "1");
    await engine.setConfig("b", "1");
    expect((await engine.up()).summary).toEqual({ create: 3 });
    await engine.setConfig("a", "2");
    expect((await engine.up()).summary).toEqual({ same: 3 });
    await engine.setConfig("b", "2");
    expect((await engine.up()).summary).toEqual({ same: 2, update: 1 });
    const state = await engine.exportStack();
    expect(named(state, "path").inputs?.environment).toEqual({ A: "1", B: "2" });
    expect(named(state, "all").inputs?.environment).toEqual({ A: "1", B: "1" });
  });

  test("a value that becomes secret is a change", async () => {
    await program(`
      const value = config.get("hide") ? pulumi.secret("v") : "v";
      new local.Command("one", { create: "true", environment: { V: value } });`);
    await engine.up();
    await engine.setConfig("hide", "yes");
    expect((await engine.up()).summary).toEqual({ same: 1, update: 1 });
  });

  test("secrets: blinded in previews, marked in the state, known to the command", async () => {
    await program(`
      const password = config.requireSecret("password");
      const one = new local.Command("one", { create: "printf %s \\"$P\\" | wc -c", environment: { P: password }, logging: "none" });
      exports.length = one.stdout;`);
    await engine.setConfig("password", "pa$$ 'w\"rd", { secret: true });
    const preview = await engine.preview();
    expect(JSON.stringify(preview.digest)).not.toContain('w\\"rd');
    expect(preview.digest.config).toEqual({ "bench:password": "[secret]" });
    expect(preview.digest.steps?.at(-1)?.newState?.inputs?.environment).toEqual({ P: "[secret]" });
    await engine.up();
    expect(String((await engine.outputs()).length).trim()).toBe("10");
    expect(named(await engine.exportStack(), "one").inputs?.environment).toEqual({
      P: expect.objectContaining({ plaintext: JSON.stringify("pa$$ 'w\"rd") }) as unknown,
    });
  });

  test("a preview knows what cannot change and nothing else", async () => {
    await program(`${RECORD}
      const one = new local.Command("one", { create: "echo " + config.require("n") });
      const www = record({}, config.require("n") + ".test");
      new local.Command("two", { create: "true", environment: { OUT: one.stdout, ID: www.id } });`);
    await engine.setConfig("n", "1");
    const environment = async () =>
      (await engine.preview()).digest.steps?.find((step) => step.urn.endsWith("::two"))?.newState
        ?.inputs?.environment;
    expect(await environment()).toEqual({ OUT: UNKNOWN, ID: UNKNOWN });
    await engine.up();
    const id = named(await engine.exportStack(), "record").id;
    await engine.setConfig("n", "2");
    expect(await environment()).toEqual({ OUT: UNKNOWN, ID: id });
    expect(api.take().filter((line) => !line.startsWith("POST"))).toEqual([]);
  });

  test("protect refuses a delete and a replacement; without it both happen", async () => {
    await program(`
      if (!config.get("gone")) new random.RandomString("one", { length: Number(config.get("length") || 4) },
        { protect: config.getBoolean("protect") });`);
    await engine.setConfig("protect", "true");
    await engine.up();
    await engine.setConfig("length", "5");
    expect((await engine.up()).exitCode).not.toBe(0);
    await engine.setConfig("gone", "yes");
    expect((await engine.up()).exitCode).not.toBe(0);
    expect((await engine.destroy()).exitCode).not.toBe(0);
    expect(named(await engine.exportStack(), "one").outputs?.length).toBe(4);
    await engine.setConfig("protect", "false");
    await engine.removeConfig("gone");
    expect((await engine.up()).summary).toEqual({ same: 1, replace: 1 });
    expect((await engine.destroy()).exitCode).toBe(0);
    expect((await engine.exportStack()).deployment.resources ?? []).toEqual([]);
  });

  test("import takes over a live record, and the next update is quiet", async () => {
    const live = {
      zone_id: "z",
      name: "www.test",
      type: "CNAME",
      ttl: 60,
      proxied: false,
      content: "one.test",
    };
    api.records.set("7".repeat(32), {
      id: "7".repeat(32),
      ...live,
      tags: [],
      meta: {},
      settings: {},
    });
    await program(`${RECORD}
      record({ import: config.get("import"), retainOnDelete: true }, config.get("content"));`);
    await engine.setConfig("import", `z/${"7".repeat(32)}`);
    expect((await engine.preview()).digest.steps?.map((step) => step.op)).toContain("import");
    expect((await engine.up()).summary).toMatchObject({ import: 1 });
    expect(api.take().every((line) => line === "GET /client/v4/zones/z/dns_records/ID")).toBe(true);
    expect((await engine.up()).summary).toEqual({ same: 3 });
    await engine.removeConfig("import");
    await engine.setConfig("content", "two.test");
    expect((await engine.up()).summary).toEqual({ same: 2, update: 1 });
    expect(api.take().map((line) => line.split(" ")[0])).toEqual(["PUT"]);
    await engine.destroy();
    expect(api.take()).toEqual([]); // retained
  });

  test("an import whose inputs differ from the live record is refused", async () => {
    const live = {
      name: "www.test",
      type: "CNAME",
      ttl: 60,
      proxied: false,
      content: "other.test",
    };
    api.records.set("8".repeat(32), { id: "8".repeat(32), ...live });
    await program(`${RECORD}; record({ import: "z/${"8".repeat(32)}" });`);
    const up = await engine.up();
    expect(up.exitCode).not.toBe(0);
    expect(up.stdout).toContain("inputs to import do not match the existing resource");
  });

  test("a renamed resource with an alias stays what it was, with its children", async () => {
    await program(`
      const name = config.require("name");
      const parent = new pulumi.ComponentResource("a:b:C", name, {}, { aliases: [{ name: "before" }] });
      new local.Command("child", { create: "true" }, { parent });`);
    await engine.setConfig("name", "before");
    await engine.up();
    await engine.setConfig("name", "after");
    expect((await engine.up()).summary).toEqual({ same: 3 });
    expect(named(await engine.exportStack(), "child").parent).toMatch(/::after$/);
  });

  test("a program that exits 1 deletes nothing; one that falls silent deletes everything", async () => {
    await program(`
      const mode = config.get("mode");
      if (mode === "exit") process.exit(1);
      if (mode !== "gone") new local.Command("one", { create: "true" });`);
    await engine.up();
    await engine.setConfig("mode", "exit");
    const up = await engine.up();
    expect([up.exitCode === 0, up.summary.delete]).toEqual([false, undefined]);
    expect(named(await engine.exportStack(), "one").id).toBeDefined();
    await engine.setConfig("mode", "gone");
    expect((await engine.up()).summary).toEqual({ same: 1, delete: 1 });
  });

  test("an API that is busy is asked again; one that says no fails the step with its words", async () => {
    await program(`${RECORD}; record({});`);
    api.failures.push(429, 503);
    expect((await engine.up()).summary).toMatchObject({ create: 3 });
    expect(api.take()).toHaveLength(3);
    api.records.clear();
    const { exitCode, diagnostics } = await engine.destroy();
    expect(exitCode).not.toBe(0);
    expect(diagnostics.map((one) => one.message).join("\n")).toMatch(/404 Not Found.*81044/);
  });

  test("refresh drops what is gone and takes over what was changed by hand", async () => {
    await program(`${RECORD}; record({});`);
    await engine.up();
    const id = String(named(await engine.exportStack(), "record").id);
    api.records.set(id, { ...api.records.get(id), content: "byhand.test" });
    expect((await engine.refresh()).summary).toMatchObject({ update: 1 });
    expect(named(await engine.exportStack(), "record").inputs?.content).toBe("byhand.test");
    expect((await engine.preview()).digest.changeSummary).toMatchObject({ update: 1 });
    api.records.delete(id);
    expect((await engine.refresh()).summary).toMatchObject({ delete: 1 });
    expect((await engine.preview()).digest.changeSummary).toMatchObject({ create: 1 });
  });

  test("what is exported can be imported into an empty stack, and is then unchanged", async () => {
    await program(`
      const password = new random.RandomPassword("p", { length: 12 });
      new local.Command("one", { create: "true", environment: { P: password.result } });`);
    await engine.up();
    const state = await engine.exportStack();
    await engine.destroy();
    await engine.importStack(state);
    expect((await engine.up()).summary).toEqual({ same: 3 });
  });

  test("zones are looked up and read, and belong to nobody's state", async () => {
    api.records.set("9".repeat(32), {
      id: "9".repeat(32),
      name: "shop.test",
      name_servers: ["ns1"],
    });
    await program(`${RECORD}
      const id = "${"9".repeat(32)}";
      const zone = cloudflare.Zone.get("zone", id, {}, { provider });
      exports.name = zone.name;
      exports.servers = cloudflare.getZoneOutput({ zoneId: id }, { provider }).nameServers;`);
    expect((await engine.up()).exitCode).toBe(0);
    expect(await engine.outputs()).toEqual({ name: "shop.test", servers: ["ns1"] });
    expect(named(await engine.exportStack(), "zone").external).toBe(true);
    expect((await engine.destroy()).exitCode).toBe(0);
    expect(api.take().every((line) => line.startsWith("GET"))).toBe(true);
  });
}
