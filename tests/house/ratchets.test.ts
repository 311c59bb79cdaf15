// Ratchets: what must not creep in. A linter says most of it too; here it holds where the linter is missing.
import ts from "typescript";
import { hits, ourFiles, textOf } from "./tree";

const code = ourFiles(/\.(ts|js|mjs)$/);
const typescript = ourFiles(/\.ts$/);
const scripts = ourFiles(/(\.sh|^\.ci\/run)$/);
const everything = ourFiles();
// Tools read their configuration from a default export.
const configuration = /(^|\/)[a-z]+\.config\.m?js$/;
const HARD_LIMIT = 300;

function anysIn(file: string): string[] {
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2022);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = source.getLineAndCharacterOfPosition(node.pos);
      found.push(`${file}:${String(line + 1)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("no any", () => {
  expect(typescript.flatMap(anysIn)).toEqual([]);
});

test("no linter is switched off", () => {
  expect(hits(code, /eslint-(disable|enable)|@ts-(ignore|nocheck|expect-error)/)).toEqual([]);
  expect(hits(scripts, /shellcheck disable=(?!.* # )/)).toEqual([]);
});

test("nothing is put off in a comment", () => {
  expect(hits(everything, /\b(TO[D]O|FIX[M]E|XX[X])\b/)).toEqual([]);
});

test("no default export", () => {
  const files = code.filter((file) => !configuration.test(file));
  expect(hits(files, /^export default\b/)).toEqual([]);
});

test(`no source of more than ${String(HARD_LIMIT)} lines`, () => {
  const long = [...code, ...scripts].filter(
    (file) => textOf(file).split("\n").length - 1 > HARD_LIMIT,
  );
  expect(long).toEqual([]);
});

test("no utils", () => {
  expect(ourFiles(/(^|\/)(utils?|helpers?|common|misc)(\.|\/)/)).toEqual([]);
});

test("no path of a developer's machine", () => {
  expect(hits(everything, /(\/work\/|\/Users\/|\/home\/(?!postgres\b)[a-z])/)).toEqual([]);
});

test("the versions that must not drift", () => {
  const manifest = JSON.parse(textOf("package.json")) as Record<string, Record<string, string>>;
  // 4.5.0, the highest one published, is a mistake of 2022 without a plugin.
  expect(manifest["dependencies"]?.["@pulumi/command"]).toBe("1.2.1");
  // @pulumi/pulumi refuses TypeScript 7.
  expect(manifest["devDependencies"]?.["typescript"]).toMatch(/^[56]\.\d+\.\d+$/);
  // Four platform packages of later releases are missing, so that `npm ci` fails.
  expect(manifest["devDependencies"]?.["@swc/core"]).toBe("1.16.18");
});

test("the SDKs of Pulumi are pinned exactly, for each names the plugin it needs", () => {
  const manifest = JSON.parse(textOf("package.json")) as Record<string, Record<string, string>>;
  const sdks = Object.entries(manifest["dependencies"] ?? {}).filter(([name]) =>
    name.startsWith("@pulumi/"),
  );
  for (const [, version] of sdks) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});

test("the lock names every platform's package, or `npm ci` fails on a fresh machine", () => {
  type Locked = Record<string, { optionalDependencies?: Record<string, string> }>;
  const { packages } = JSON.parse(textOf("package-lock.json")) as { packages: Locked };
  const absent = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        !(`node_modules/${name}` in packages) && !(`${place}/node_modules/${name}` in packages),
    ),
  );
  expect(absent).toEqual([]);
});
