// Two pairs in one stack: one flips, and no resource of the other is touched.
import { join } from "node:path";
import { openEngine, type Engine } from "../../lab/engine/engine";
import { startLab, type Lab } from "../../lab/lab";
import { packageRoot } from "../../lab/tour";

jest.setTimeout(240_000);
const labs: Record<string, Lab> = {};
let engine: Engine;

beforeAll(async () => {
  for (const name of ["shop", "blog"]) labs[name] = await startLab({ zone: `${name}.test` });
  engine = await openEngine({
    projectDir: join(packageRoot(), "tests", "fixtures", "twoPairs"),
    stack: "two",
    stateDir: join(labs.shop?.dir ?? "", "stack"),
    passphrase: "lab",
    env: { STANDBY_COMPONENTS: join(packageRoot(), "dist", "components") },
  });
  for (const [name, lab] of Object.entries(labs)) {
    const { lab: told, witnessKey } = lab.stackConfig();
    const value = {
      ...(JSON.parse(told?.value ?? "{}") as object),
      baseUrl: lab.cloudflare.apiUrl,
    };
    await engine.setConfig(name, JSON.stringify(value));
    await engine.setConfig(`${name}Site`, "a");
    await engine.setConfig(`${name}Key`, witnessKey?.value ?? "", { secret: true });
    await engine.setConfig(`${name}Token`, lab.cloudflare.token, { secret: true });
  }
});
afterAll(async () => {
  await Promise.all(Object.values(labs).map((lab) => lab.close()));
});

test("both are built, then shop moves to b while blog stays as it is", async () => {
  const built = await engine.up();
  expect(built.exitCode).toBe(0);
  const of = async (name: string) =>
    (await engine.exportStack()).deployment.resources
      ?.filter((one) => one.urn.includes(`::${name}-`))
      .map(({ urn, id, inputs, outputs }) => ({ urn, id, inputs, outputs }))
      .sort((one, two) => one.urn.localeCompare(two.urn));
  const before = await of("blog");
  expect(before?.length).toBeGreaterThan(20);
  const asked = labs.blog?.cloudflare.requests().length;
  await engine.setConfig("shopSite", "b");
  const flipped = await engine.up();
  expect(flipped.exitCode).toBe(0);
  const touched = flipped.steps.filter((step) => step.op !== "same").map((step) => step.urn);
  expect(touched.length).toBeGreaterThan(10);
  expect(touched.filter((urn) => urn.includes("::blog"))).toEqual([]);
  expect(await of("blog")).toEqual(before);
  expect(labs.blog?.cloudflare.requests().length).toBe(asked);
  const zone = labs.shop?.cloudflare.records("shop.test") ?? [];
  expect(zone.find((one) => one.name === "active.shop.test")?.content).toBe("site-b.shop.test");
});
