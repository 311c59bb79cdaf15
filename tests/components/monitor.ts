import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks";

/** Pulumi's mocks, and what a program registers under them. */

/** One registration, as the engine would be asked. */
export interface Registered {
  readonly name: string;
  readonly type: string;
  readonly parent: string;
  readonly dependencies: readonly string[];
  readonly protect: boolean;
  readonly ignored: readonly string[];
  readonly aliases: readonly string[];
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
  getAliasurnsList(): string[];
  getAliasesList(): { getUrn(): string; getSpec(): { getName(): string } | undefined }[];
  getAdditionalsecretoutputsList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}

/** What was registered since {@link mocked} was called. */
export class Monitor {
  readonly made: Registered[] = [];

  named(name: string): Registered {
    const found = this.made.find((one) => one.name === name);
    if (found === undefined) {
      throw new Error(`${name} is not made: ${this.made.map((one) => one.name).join(" ")}`);
    }
    return found;
  }

  /** Waits, bounded, until a resource of this name was asked for. */
  async until(name: string): Promise<void> {
    for (let tries = 0; tries < 500; tries += 1) {
      if (this.made.some((one) => one.name === name)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.named(name);
  }
}

/** Puts the mocks in place, once a test file. `outputs` is what a resource has once it was made. */
export async function mocked(
  preview: boolean,
  outputs: (name: string, type: string) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<Monitor> {
  // The mocks' log is the console.
  jest.spyOn(console, "log").mockReturnValue(undefined);
  jest.spyOn(console, "warn").mockReturnValue(undefined);
  const monitor = new Monitor();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ inputs, name, type }) => ({
        id: `${name}-id`,
        state: { ...(inputs as object), ...outputs(name, type) },
      }),
      call: ({ inputs }) => inputs as object,
    },
    "project",
    "stack",
    preview,
  );
  const prototype = MockMonitor.prototype as unknown as {
    registerResource: (request: Request, callback: unknown) => unknown;
  };
  const original = prototype.registerResource;
  prototype.registerResource = function (request, callback) {
    monitor.made.push(registered(request));
    return original.call(this, request, callback);
  };
  return monitor;
}

function registered(request: Request): Registered {
  const local = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);
  return {
    name: request.getName(),
    type: request.getType(),
    parent: local(request.getParent()),
    dependencies: request.getDependenciesList().map(local),
    protect: request.getProtect(),
    ignored: request.getIgnorechangesList(),
    aliases: [
      ...request.getAliasurnsList(),
      ...request.getAliasesList().map((one) => one.getUrn() || `::${one.getSpec()?.getName()}`),
    ],
    secretOutputs: request.getAdditionalsecretoutputsList(),
    inputs: request.getObject()?.toJavaScript() ?? {},
  };
}
