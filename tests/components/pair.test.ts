import * as pulumi from "@pulumi/pulumi";
import { StandbyPair } from "../../components";
import { pairArgs, WITNESS_KEY } from "../input/args";
import { mocked, type Monitor } from "./monitor";

/** The pair's resources under Pulumi's mocks, in a preview that may not look: names, parents, order, secrets, protection. */

let monitor: Monitor;
const named = (name: string) => monitor.named(name);

beforeAll(async () => {
  monitor = await mocked(true, (_, type) =>
    type.includes("RandomPassword") ? { result: "Dr4wn-Secret" } : {},
  );
  const pair = new StandbyPair("shop", {
    ...pairArgs(),
    services: [],
    observe: "none",
    witnessKey: pulumi.secret(WITNESS_KEY),
  });
  await new Promise((resolve) => pair.checklist.apply(resolve));
  await monitor.until("shop-www.example.com");
}, 60_000);

test("every resource bears the pair's name, the steps below the runbook", () => {
  for (const one of monitor.made.slice(1)) expect(one.name).toMatch(/^shop(-|$)/);
  expect(named("shop-runbook").parent).toBe("shop");
  for (const id of ["preflight", "prepare", "fence", "verify", "promote", "settle"]) {
    expect(named(`shop-${id}`).parent).toBe("shop-runbook");
  }
  expect(named("shop-www.example.com").parent).toBe("shop");
});

test("each step depends on the one before, the first on the password", () => {
  const steps = monitor.made.filter((one) => one.parent === "shop-runbook");
  expect(steps[0]?.dependencies).toContain("shop-password");
  steps.slice(1).forEach((step, index) => {
    expect([step.name, ...step.dependencies]).toContain(steps[index]?.name);
  });
  const ids = steps.map((one) => one.name.slice("shop-".length));
  expect(ids.indexOf("fence")).toBeLessThan(ids.indexOf("verify"));
  expect(ids.indexOf("verify")).toBeLessThan(ids.indexOf("promote"));
});

test("password and records are protected, steps are not", () => {
  for (const name of ["shop-password", "shop-witness", "shop-www.example.com"]) {
    expect([name, named(name).protect]).toEqual([name, true]);
  }
  expect(named("shop-fence").protect).toBe(false);
});

test("what a step prints on stderr is secret, its text holds no key, and it logs nothing", () => {
  const fence = named("shop-fence");
  expect(fence.secretOutputs).toContain("stderr");
  expect(fence.inputs).toMatchObject({ logging: "none", addPreviousOutputInEnv: false });
  expect(Object.keys(fence.inputs["environment"] as object).sort()).toEqual([
    "DIGEST",
    "FACTS",
    "RUN",
    "SECRET",
  ]);
  const body = WITNESS_KEY.split("\n")[1] ?? "";
  expect(JSON.stringify(monitor.made)).not.toContain(body);
  expect(JSON.stringify(monitor.made)).not.toContain("Dr4wn-Secret");
});

test("records carry what config says", () => {
  expect(named("shop-www.example.com").inputs).toMatchObject({
    type: "CNAME",
    content: "active.example.com",
    ttl: 60,
  });
  expect(named("shop-site-a.example.com-v4").inputs).toMatchObject({
    type: "A",
    content: "192.0.2.10",
  });
  expect(named("shop-witness").inputs["content"]).toMatch(
    /^"v=1 epoch=1 from=b to=a kind=initial key=[0-9a-f]{8} sig=/,
  );
});
