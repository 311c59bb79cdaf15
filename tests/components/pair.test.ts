import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { StandbyPair } from "../../components";
import { pairArgs, WITNESS_KEY } from "../input/args";

/** The pair's resources under Pulumi's mocks, in a preview that may not look: names, parents, order, secrets, protection. */

interface Registered {
  readonly name: string;
  readonly type: string;
  readonly parent: string;
  readonly dependencies: readonly string[];
  readonly protect: boolean;
  readonly ignored: readonly string[];
  readonly secretOutputs: readonly string[];
  readonly inputs: Readonly<Record<string, unknown>>;
}
interface Request {
  getName(): string;
  getType(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getProtect(): boolean;
  getIgnorechangesList(): string[];
  getAdditionalsecretoutputsList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}

const made: Registered[] = [];
const named = (name: string): Registered => {
  const found = made.find((one) => one.name === name);
  if (found === undefined)
    throw new Error(`${name} is not made: ${made.map((one) => one.name).join(" ")}`);
  return found;
};
const local = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);

beforeAll(async () => {
  // The mocks' log is the console.
  jest.spyOn(console, "log").mockReturnValue(undefined);
  jest.spyOn(console, "warn").mockReturnValue(undefined);
  await pulumi.runtime.setMocks(
    {
      newResource: ({ inputs, name, type }) => ({
        id: `${name}-id`,
        state: (type.includes("RandomPassword") ? { result: "Dr4wn-Secret" } : inputs) as object,
      }),
      call: ({ inputs }) => inputs as object,
    },
    "project",
    "stack",
    true,
  );
  const prototype = MockMonitor.prototype as unknown as {
    registerResource: (request: Request, callback: unknown) => unknown;
  };
  const original = prototype.registerResource;
  prototype.registerResource = function (request, callback) {
    made.push({
      name: request.getName(),
      type: request.getType(),
      parent: local(request.getParent()),
      dependencies: request.getDependenciesList().map(local),
      protect: request.getProtect(),
      ignored: request.getIgnorechangesList(),
      secretOutputs: request.getAdditionalsecretoutputsList(),
      inputs: request.getObject()?.toJavaScript() ?? {},
    });
    return original.call(this, request, callback);
  };
  const pair = new StandbyPair("shop", {
    ...pairArgs(),
    services: [],
    observe: "none",
    witnessKey: pulumi.secret(WITNESS_KEY),
  });
  await new Promise((resolve) => pair.checklist.apply(resolve));
  const last = () => made.some((one) => one.name === "shop-www.example.com");
  for (let tries = 0; !last() && tries < 500; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}, 60_000);

test("every resource bears the pair's name, the steps below the runbook", () => {
  for (const one of made.slice(1)) expect(one.name).toMatch(/^shop(-|$)/);
  expect(named("shop-runbook").parent).toBe("shop");
  for (const id of ["preflight", "prepare", "fence", "verify", "promote", "settle"]) {
    expect(named(`shop-${id}`).parent).toBe("shop-runbook");
  }
  expect(named("shop-www.example.com").parent).toBe("shop");
});

test("each step depends on the one before, the first on the password", () => {
  const steps = made.filter((one) => one.parent === "shop-runbook");
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
  expect(JSON.stringify(made)).not.toContain(body);
  expect(JSON.stringify(made)).not.toContain("Dr4wn-Secret");
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
