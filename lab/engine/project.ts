/** What the engine needs of Pulumi.yaml: name, main and the options of the nodejs runtime. */
import { readFile, stat } from "node:fs/promises";
import * as path from "node:path";

/** A Pulumi project, as far as the bench runs it. */
export interface Project {
  readonly name: string;
  /** Folder of Pulumi.yaml. */
  readonly root: string;
  /** Folder the program runs in. */
  readonly cwd: string;
  /** What is run in that folder: "." or a file. */
  readonly program: string;
  readonly typescript: boolean;
  /** Arguments of node itself. */
  readonly nodeArgs: readonly string[];
}

/** @throws Error when there is no Pulumi.yaml, no name in it, or another runtime than nodejs. */
export async function readProject(projectDir: string): Promise<Project> {
  const root = path.resolve(projectDir);
  const file = path.join(root, "Pulumi.yaml");
  const values = readYaml(await readFile(file, "utf8"));
  const name = values.get("name");
  if (name === undefined) throw new Error(`${file}: name: missing`);
  const runtime = values.get("runtime") ?? values.get("runtime.name");
  if (runtime !== "nodejs") {
    throw new Error(`${file}: runtime: ${String(runtime)}: the lab engine runs nodejs only`);
  }
  const nodeArgs = values.get("runtime.options.nodeargs");
  return {
    name,
    root,
    ...(await locate(root, values.get("main"))),
    typescript: values.get("runtime.options.typescript") !== "false",
    nodeArgs: nodeArgs === undefined ? [] : nodeArgs.split(/\s+/),
  };
}

/** The salt of the stack's secrets, which the real CLI needs to import what this engine exports. */
export async function readSalt(root: string, stack: string): Promise<string | undefined> {
  const file = path.join(root, `Pulumi.${stack}.yaml`);
  const text = await readFile(file, "utf8").catch(() => "");
  return readYaml(text).get("encryptionsalt");
}

async function locate(
  root: string,
  main: string | undefined,
): Promise<{ cwd: string; program: string }> {
  if (main === undefined) return { cwd: root, program: "." };
  const target = path.join(root, main);
  const found = await stat(target).catch(() => undefined);
  if (found?.isDirectory() === true) return { cwd: target, program: "." };
  return { cwd: path.dirname(target), program: path.basename(target) };
}

/**
 * The plain values of a small YAML file by dotted path. Enough for Pulumi.yaml, whose values are
 * words on one line; lists and block texts are skipped.
 */
export function readYaml(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const parents: { indent: number; key: string }[] = [];
  for (const line of text.split("\n")) {
    const match = /^( *)([A-Za-z0-9_:/.-]+):(?:\s+(.*?))?\s*$/.exec(line);
    if (match === null || match[2] === undefined) continue;
    const indent = match[1]?.length ?? 0;
    while (parents.length > 0 && (parents.at(-1)?.indent ?? 0) >= indent) parents.pop();
    const key = [...parents.map((parent) => parent.key), match[2]].join(".");
    const value = (match[3] ?? "").replace(/\s+#.*$/, "");
    if (value === "" || value.startsWith("#")) parents.push({ indent, key: match[2] });
    else values.set(key, value.replace(/^(["'])(.*)\1$/, "$2"));
  }
  return values;
}
