import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../../lab/engine/engine";
import { WITNESS_KEY, ZONE_ID } from "../input/args";

/** The package as a stranger gets it: what `npm pack` makes, in an empty project of another, as CommonJS and as ESM. */

const ROOT = join(__dirname, "..", "..");
let home = "";
let files: readonly string[] = [];
jest.setTimeout(120_000);

interface Ran {
  readonly code: number;
  readonly text: string;
}
const run = (program: string, args: readonly string[], cwd: string): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(program, [...args], { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, text: stdout + stderr });
    });
  });

const PROGRAM = `import * as pulumi from "@pulumi/pulumi";
import { StandbyPair, local, ssh, Refusal, type StandbyPairArgs } from "pulumi-standby";

const args: StandbyPairArgs = {
  activeSite: "a",
  sites: {
    a: { provider: "one", region: "x", addresses: { v4: "192.0.2.1" }, transport: local() },
    b: { provider: "two", region: "y", addresses: { v4: "192.0.2.2" }, transport: ssh({ host: "192.0.2.2", user: "root", hostKeys: ["ssh-ed25519 AAAA"] }) },
  },
  database: { postgres: { dataDirectory: "/nowhere/data" } },
  dns: { cloudflare: { zones: [{ zone: "example.com", zoneId: "${ZONE_ID}", hostnames: ["www.example.com"] }], servers: ["127.0.0.1#9"] } },
  witnessKey: new pulumi.Config().requireSecret("witnessKey"),
  observe: "none",
};
const pair = new StandbyPair("shop", args);
export const epoch: pulumi.Output<number> = pair.epoch;
export const refusal: typeof Refusal = Refusal;
`;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "standby-pack-"));
  // The checks before the tests have built it; prepack does so for whoever publishes.
  const packed = await run("npm", ["pack", "--ignore-scripts", "--pack-destination", home], ROOT);
  if (packed.code !== 0) throw new Error(packed.text);
  const tarball = readdirSync(home).find((name) => name.endsWith(".tgz")) ?? "";
  const listed = await run("tar", ["-tzf", join(home, tarball)], home);
  files = listed.text
    .split("\n")
    .filter((name) => name !== "")
    .map((name) => name.replace(/^package\//, ""));
  await run("tar", ["-xzf", join(home, tarball)], home);
});
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** An empty project beside the installed package; its other packages are links. */
function project(kind: "commonjs" | "module"): string {
  const folder = join(home, kind);
  const modules = join(folder, "node_modules");
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  symlinkSync(join(home, "package"), join(modules, "pulumi-standby"));
  if (!existsSync(join(home, "node_modules"))) symlinkSync(modules, join(home, "node_modules"));
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
  };
  put("package.json", JSON.stringify({ name: "foreign", type: kind, main: "index.js" }));
  put(
    "Pulumi.yaml",
    "name: foreign\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  put("index.ts", PROGRAM);
  const compilerOptions = {
    target: "es2022",
    module: "node16",
    moduleResolution: "node16",
    strict: true,
    types: ["node"],
  };
  put("tsconfig.json", JSON.stringify({ compilerOptions, files: ["index.ts"] }));
  return folder;
}

async function previews(folder: string): Promise<void> {
  const engine = await openEngine({
    projectDir: folder,
    stack: "dev",
    stateDir: join(folder, "state"),
    force: "lab",
  });
  await engine.setConfig("witnessKey", WITNESS_KEY, { secret: true });
  const shown = await engine.preview();
  expect(shown.diagnostics.filter((one) => one.severity === "error")).toEqual([]);
  expect(shown.exitCode).toBe(0);
  expect(shown.stdout).toContain("site a: not reached (not observed), which is not the same");
  expect(shown.summary.create).toBeGreaterThan(10);
}

test("it holds compiled code, types, scripts and docs, and nothing of the workshop", () => {
  expect(files).toEqual(
    expect.arrayContaining([
      "package.json",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
      "scripts/lib.sh",
      "scripts/runner.sh",
      "scripts/postgres/promote.sh",
      "docs/glossary.md",
      "dist/components/index.js",
      "dist/components/index.d.ts",
      "dist/plan/plan.js",
      "dist/sites/observe.js",
    ]),
  );
  const foreign = files.filter(
    (name) =>
      !/^(package\.json|[A-Z]+(\.md)?|scripts\/.+\.(sh|service)|docs\/.+|dist\/(components|plan|sites|cli)\/.+\.(js|d\.ts))$/.test(
        name,
      ),
  );
  expect(foreign).toEqual([]);
});

const COMPILERS = ["typescript", "typescript-6"].map((name) => {
  const file = join(ROOT, "node_modules", name, "bin", "tsc");
  return { name, file };
});

describe.each(["commonjs", "module"] as const)("as %s", (kind) => {
  let folder = "";
  beforeAll(() => {
    folder = project(kind);
  });

  for (const { name, file } of COMPILERS) {
    test(`it type-checks under ${name}`, async () => {
      const { code, text } = await run(process.execPath, [file, "-p", "tsconfig.json"], folder);
      expect(text).toBe("");
      expect(code).toBe(0);
    });
  }

  test("it previews on the engine", async () => {
    await previews(folder);
  });
});
