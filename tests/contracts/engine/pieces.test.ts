/** The engine's pure pieces, by tables. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { applyIgnore, matches } from "../../../lab/engine/ignore";
import { readProject, readYaml } from "../../../lab/engine/project";
import { Snapshot, checkOrder } from "../../../lab/engine/snapshot";
import { Store } from "../../../lab/engine/store";
import { makeUrn, nameOf, typeOf } from "../../../lab/engine/urn";
import {
  UNKNOWN,
  blind,
  differences,
  equal,
  fromState,
  hasUnknown,
  markSecrets,
  secret,
  toState,
} from "../../../lab/engine/values";

test.each([
  [["*"], { a: 1, b: { c: 1, d: 1 }, l: [1, 2] }],
  [["a"], { a: 1, b: { c: 2, d: 2 }, l: [9, 8] }],
  [["b.c"], { a: 2, b: { c: 1, d: 2 }, l: [9, 8] }],
  [['b["d"]', "l[0]"], { a: 2, b: { c: 2, d: 1 }, l: [1, 8] }],
  [["l[*]"], { a: 2, b: { c: 2, d: 2 }, l: [1, 2] }],
  [["nowhere.x"], { a: 2, b: { c: 2, d: 2 }, l: [9, 8] }],
])("ignoreChanges %j", (paths, expected) => {
  const before = { a: 1, b: { c: 1, d: 1 }, l: [1, 2] };
  const after = { a: 2, b: { c: 2, d: 2 }, l: [9, 8] };
  expect(applyIgnore(before, after, paths)).toEqual(expected);
});

test("ignoring a value that was not there before takes it away", () => {
  expect(applyIgnore({}, { a: 1 }, ["a"])).toEqual({});
});

test.each([
  ["triggers[0]", ["triggers[*]"], true],
  ["triggers", ["triggers[*]"], true],
  ["environment.A", ["environment"], true],
  ["environment.A", ["environment.B"], false],
])("replaceOnChanges: %s by %j is %s", (path, patterns, expected) => {
  expect(matches(path, patterns)).toBe(expected);
});

test("differences name the leaves", () => {
  const before = { e: { A: "1", B: "1" }, t: [1], s: secret("x"), gone: 1 };
  const after = { e: { A: "2", B: "1", C: "3" }, t: [1, 2], s: secret("y") };
  expect(Object.fromEntries(differences(before, after))).toEqual({
    "e.A": "update",
    "e.C": "add",
    "t[1]": "add",
    s: "update",
    gone: "delete",
  });
});

test("secrets: equal only to secrets, blinded for eyes, whole again from the state", () => {
  const props = { a: secret({ b: [1, "x"] }), list: [secret("y")] };
  expect(equal({ a: "x" }, { a: secret("x") })).toBe(false);
  expect(blind(props)).toEqual({ a: "[secret]", list: ["[secret]"] });
  expect(fromState(toState(props))).toEqual(props);
  expect(JSON.stringify(toState(props))).toContain("plaintext");
});

test("an encrypted secret is refused with the way out", () => {
  const encrypted = { a: { ...(secret("x") as object), value: undefined, ciphertext: "v1:..." } };
  expect(() => fromState(encrypted)).toThrow("--show-secrets");
});

test("outputs that repeat a secret input are secret, and so are the named ones", () => {
  const inputs = { env: { P: secret("x") }, plain: "p" };
  const outputs = { env: { P: "x" }, plain: "p", stderr: "" };
  expect(markSecrets(outputs, inputs, ["stderr"])).toEqual({ ...inputs, stderr: secret("") });
});

test("an unknown is found however deep it is", () => {
  expect(hasUnknown({ a: [{ b: UNKNOWN }] })).toBe(true);
  expect(hasUnknown({ a: [{ b: "known" }] })).toBe(false);
});

test.each([
  ["", "t", "urn:pulumi:dev::p::t::n"],
  ["urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev", "t", "urn:pulumi:dev::p::t::n"],
  ["urn:pulumi:dev::p::a:b:C::x", "t", "urn:pulumi:dev::p::a:b:C$t::n"],
])("the URN below %j", (parent, type, expected) => {
  expect(makeUrn("dev", "p", parent, type, "n")).toBe(expected);
  expect([typeOf(expected), nameOf(expected)]).toEqual(["t", "n"]);
});

test("a state in which a user stands before what it uses is refused by name", () => {
  const state = { urn: "b", custom: true, type: "t", dependencies: ["a"] };
  expect(() => checkOrder([state, { urn: "a", custom: true, type: "t" }])).toThrow("b refers to a");
});

test("what a run has not touched stays behind what it has finished", () => {
  const state = (urn: string) => ({ urn, custom: false, type: "t" });
  const resources = [state("a"), state("b"), state("c")];
  const snapshot = new Snapshot({ version: 3, deployment: { resources } });
  const [, b] = snapshot.old;
  snapshot.end(state("b2"), b, state("b2"));
  expect(snapshot.resources().map((one) => one.urn)).toEqual(["b2", "a", "c"]);
});

test("Pulumi.yaml: name, main and the runtime's options", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "engine-yaml-"));
  const yaml = `name: 'shop' # the shop\ndescription: a: b\nmain: dist/index.js\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n    nodeargs: --no-warnings --trace-uncaught\n`;
  writeFileSync(path.join(dir, "Pulumi.yaml"), yaml);
  expect(await readProject(dir)).toEqual({
    name: "shop",
    root: dir,
    cwd: path.join(dir, "dist"),
    program: "index.js",
    typescript: false,
    nodeArgs: ["--no-warnings", "--trace-uncaught"],
  });
  expect(readYaml("runtime: nodejs\n").get("runtime")).toBe("nodejs");
  rmSync(dir, { recursive: true });
});

test("a checkpoint is on disk when save returns, readable by its owner alone", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "engine-store-"));
  const store = new Store(dir, "p", "dev");
  for (const serial of [1, 2]) {
    store.save({ version: 3, deployment: { metadata: { serial } } });
    expect((await store.load())?.deployment.metadata).toEqual({ serial });
  }
  const folder = path.join(dir, "stacks/p");
  expect(readdirSync(folder)).toEqual(["dev.json"]);
  expect(statSync(path.join(folder, "dev.json")).mode & 0o777).toBe(0o600);
  rmSync(dir, { recursive: true });
});
