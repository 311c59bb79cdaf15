import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as Swc from "@swc/core";

/** Where the application's programs lie, readable by whoever runs a site. */
export interface InstalledApp {
  readonly node: string;
  readonly folder: string;
}

const PROGRAMS = ["settings", "web", "worker"] as const;

/**
 * Copies the application with the packages it needs into the lab. The sites run as another user when
 * the lab is run by root, and that user often cannot read the folder this project lies in.
 */
export function installApp(folder: string): InstalledApp {
  mkdirSync(folder, { recursive: true });
  for (const program of PROGRAMS) writeFileSync(join(folder, `${program}.js`), compiled(program));
  copyPackage("pg", dirname(packageFolder("pg")), join(folder, "node_modules"));
  const node = isOpenToAll(process.execPath) ? process.execPath : copyOf(process.execPath, folder);
  execFileSync("chmod", ["-R", "a+rX", folder]);
  return { node, folder };
}

// Under jest the sources run as they are, and there is no compiled file to copy.
function compiled(program: string): string {
  const built = join(__dirname, `${program}.js`);
  if (existsSync(built)) return readFileSync(built, "utf8");
  const swc = module.require("@swc/core") as typeof Swc;
  const source = readFileSync(join(__dirname, `${program}.ts`), "utf8");
  return swc.transformSync(source, {
    jsc: { parser: { syntax: "typescript" }, target: "es2022" },
    module: { type: "commonjs" },
  }).code;
}

function packageFolder(name: string): string {
  const parts = require.resolve(name).split(`/node_modules/${name}/`);
  return join(parts.slice(0, -1).join(`/node_modules/${name}/`), "node_modules", name);
}

function copyPackage(name: string, from: string, to: string): void {
  const source = join(from, name);
  const target = join(to, name);
  if (!existsSync(source) || existsSync(target)) return;
  cpSync(source, target, { recursive: true, dereference: true });
  const text = readFileSync(join(source, "package.json"), "utf8");
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  for (const dependency of Object.keys(dependencies)) copyPackage(dependency, from, to);
}

function isOpenToAll(path: string): boolean {
  return path === "/" || ((statSync(path).mode & 0o001) !== 0 && isOpenToAll(dirname(path)));
}

function copyOf(program: string, folder: string): string {
  const copy = join(folder, "node");
  cpSync(program, copy, { dereference: true });
  return copy;
}
