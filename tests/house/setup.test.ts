// The set-up before everything else: plain Node, exit codes and signals pass through, and what is missing is named.
import { spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { ourFiles, ROOT, textOf } from "./tree";

const bootstrap = path.join(ROOT, "lab/bootstrap.js");
const run = path.join(ROOT, "lab/setup/run.js");

function attached(program: string): string[] {
  const call = `require(${JSON.stringify(run)}).runAttached(process.execPath, ["-e", ${JSON.stringify(program)}])`;
  return ["-e", `${call}.then((code) => { process.exitCode = code; });`];
}

test("it needs nothing that npm would have to install first", () => {
  const files = ["lab/bootstrap.js", ...ourFiles(/^lab\/setup\/.*\.js$/)];
  const required = files.flatMap((file) =>
    [...textOf(file).matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name ?? ""),
  );
  expect(required.filter((name) => !name.startsWith("node:") && !name.startsWith("./"))).toEqual(
    [],
  );
});

test("an unknown command is answered with those there are", () => {
  const { status, stderr } = spawnSync(process.execPath, [bootstrap, "dmeo"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain("demo|lab|bench|faults|test");
});

test("the program's exit code is ours", () => {
  expect(spawnSync(process.execPath, attached("process.exit(77)")).status).toBe(77);
});

test("a program that a signal ended shows as 128 + its number", () => {
  expect(spawnSync(process.execPath, attached("process.kill(process.pid, 9)")).status).toBe(137);
});

test("a signal reaches the program, which ends in its own way", async () => {
  const program = `process.on("SIGTERM", () => process.exit(5)); setInterval(() => {}, 1000); console.log("up");`;
  const child = spawn(process.execPath, attached(program), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const code = await new Promise((resolve) => {
    child.stdout.once("data", () => child.kill("SIGTERM"));
    child.once("exit", resolve);
  });
  expect(code).toBe(5);
});

// Runs as somebody who may not install, on a machine where no file is a program; prints the refusal.
const withNothing = `
  const fs = require("node:fs");
  process.getuid = () => 1000;
  fs.statSync = () => ({ isFile: () => false });
  const { ensurePrograms } = require(${JSON.stringify(path.join(ROOT, "lab/setup/debian.js"))});
  ensurePrograms("test").catch(({ message }) => process.stdout.write(message));`;

test("without the programs it needs, it says in one line what to install", () => {
  const { stdout } = spawnSync(process.execPath, ["-e", withNothing], { encoding: "utf8" });
  expect(stdout.split("\n")).toHaveLength(1);
  expect(stdout).toContain("missing here: PostgreSQL's server, dig, openssl");
  expect(stdout).toMatch(
    /apt-get install -y .* postgresql bind9-dnsutils .* shellcheck shfmt dash mawk gawk busybox$/,
  );
});
