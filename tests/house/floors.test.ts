// The floors of the house: imports point only downwards. Who may import whom, and which packages.
import path from "node:path";
import ts from "typescript";
import { ourFiles, textOf } from "./tree";

interface Floor {
  readonly floors: readonly string[];
  readonly packages: RegExp;
}
const ANY = ["plan", "sites", "components", "stacks", "cli", "lab", "bench"];
const FLOORS: Readonly<Record<string, Floor>> = {
  plan: { floors: [], packages: /^(zod|node:crypto)$/ },
  sites: { floors: ["plan"], packages: /^(zod|node:.+)$/ },
  components: { floors: ["sites", "plan"], packages: /^(zod|@pulumi\/.+|node:.+)$/ },
  stacks: { floors: ["components"], packages: /^(@pulumi\/.+|node:.+)$/ },
  cli: { floors: ["plan", "sites"], packages: /^(zod|commander|picocolors|node:.+)$/ },
  lab: { floors: ANY, packages: /./ },
  bench: { floors: ANY, packages: /./ },
  tests: { floors: [...ANY, "tests"], packages: /./ },
};

const floorOf = (file: string): string => file.split(path.sep)[0] ?? "";
const sources = ourFiles(/^(plan|sites|components|stacks|cli|lab|bench|tests)\/.*\.ts$/);

function forbiddenImports(file: string): string[] {
  const own = floorOf(file);
  const floor = FLOORS[own];
  if (floor === undefined) return [`${file}: no such floor`];
  const imported = ts.preProcessFile(textOf(file), true, false).importedFiles;
  return imported.flatMap(({ fileName: name }) => {
    const target = floorOf(path.join(path.dirname(file), name));
    const allowed = name.startsWith(".")
      ? target === own || floor.floors.includes(target)
      : floor.packages.test(name);
    return allowed ? [] : [`${file} imports ${name}`];
  });
}

test("imports point only downwards", () => {
  expect(sources.flatMap(forbiddenImports)).toEqual([]);
});

test("plan/ takes nothing from node:crypto but its hashes", () => {
  const imports = sources
    .filter((file) => floorOf(file) === "plan")
    .flatMap((file) => textOf(file).match(/^import .* from "node:crypto";$/gm) ?? []);
  for (const line of imports) expect(line).toBe('import { createHash } from "node:crypto";');
});

test("what the package publishes imports only what the package depends on", () => {
  const published = sources.filter((file) => /^(plan|sites|components|cli)\//.test(file));
  const manifest = JSON.parse(textOf("package.json")) as Record<string, Record<string, string>>;
  const known = Object.keys({ ...manifest["dependencies"], ...manifest["peerDependencies"] });
  const foreign = published
    .flatMap((file) => ts.preProcessFile(textOf(file), true, false).importedFiles)
    .map(({ fileName }) => fileName)
    .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
    .filter((name) => !known.some((each) => name === each || name.startsWith(`${each}/`)));
  expect(foreign).toEqual([]);
});
