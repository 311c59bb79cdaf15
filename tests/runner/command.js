"use strict";
// Runs one program of the test run, bounded, with its output kept or shown. Stopped by a signal, all of them are.

const { spawn } = require("node:child_process");
const os = require("node:os");
const path = require("node:path");

const ROOT = path.resolve(__dirname, "../..");
const BOUND_MS = 10 * 60_000;
const running = new Set();

function stopAll(signal) {
  const ended = [...running].map((child) => new Promise((resolve) => child.once("close", resolve)));
  for (const child of running) child.kill(signal);
  void Promise.all(ended).then(() => process.exit(128 + os.constants.signals[signal]));
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, stopAll);

/**
 * Runs a program in the project's root; resolves to { ok, output }.
 * With `live` it talks on our own stderr instead. One that does not end within ten minutes (`boundMs`) is killed and has failed.
 */
function run(command, args, options = {}) {
  const stdio = options.live ? ["inherit", "ignore", "inherit"] : ["ignore", "pipe", "pipe"];
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio,
      timeout: options.boundMs ?? BOUND_MS,
      killSignal: "SIGKILL",
    });
    const said = [];
    running.add(child);
    child.stdout?.on("data", (chunk) => said.push(chunk));
    child.stderr?.on("data", (chunk) => said.push(chunk));
    child.once("error", (problem) => said.push(Buffer.from(problem.message)));
    child.once("close", (code) => {
      running.delete(child);
      resolve({ ok: code === 0, output: Buffer.concat(said).toString() });
    });
  });
}

/** Runs a program of node_modules under this Node. */
function runTool(file, args, options) {
  return run(process.execPath, [path.join(ROOT, "node_modules", file), ...args], options);
}

module.exports = { ROOT, run, runTool };
