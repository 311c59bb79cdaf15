"use strict";
// Runs a child and waits for it: quietly (output kept, shown only when it fails) or with our own terminal.
// Signals reach the child, so that nothing of it is left behind when somebody stops us.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { say, SetupProblem } = require("./say.js");

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const HEARTBEAT_MS = 10_000;
const PARENT_POLL_MS = 1_000;
const LINES_SHOWN = 40;

function hasTerminal() {
  try {
    fs.closeSync(fs.openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

// A terminal sends Ctrl-C to the whole foreground group, so the child has it already. Passed on as well it would
// count as a second one, and an engine takes the second one as "stop at once and record nothing".
function forwardSignals(child, deliver) {
  const terminal = hasTerminal();
  const handlers = SIGNALS.map((signal) => {
    const handler = () => {
      child.stoppedBy = signal;
      if (signal !== "SIGINT" || !terminal) deliver(child, signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => handlers.forEach((off) => off());
}

// npm that is killed takes nobody with it; without this a lab that waits for its user would wait for ever.
function endWithParent(child, deliver) {
  if (process.env.npm_lifecycle_event === undefined) return () => undefined;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) deliver(child, "SIGTERM");
  }, PARENT_POLL_MS);
  return () => clearInterval(watch);
}

/** The shell's convention for a child that a signal ended: 128 + its number. */
function exitCodeOf(code, signal) {
  return code ?? 128 + (os.constants.signals[signal] ?? 0);
}

function wait(child, deliver = (to, signal) => to.kill(signal)) {
  const releases = [forwardSignals(child, deliver), endWithParent(child, deliver)];
  const release = () => releases.forEach((each) => each());
  return new Promise((resolve, reject) => {
    child.once("error", (problem) => {
      release();
      reject(new SetupProblem(`${child.spawnfile}: ${problem.message}`));
    });
    child.once("exit", (code, signal) => {
      release();
      resolve({ code: exitCodeOf(code, signal), stoppedBy: child.stoppedBy });
    });
  });
}

/** Runs a program on our own terminal; resolves to its exit code. `deliver(child, signal)`: how a signal reaches it. */
async function runAttached(command, args, { env = {}, deliver } = {}) {
  const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...env } });
  const { code } = await wait(child, deliver);
  return code;
}

function lastLines(file) {
  return fs.readFileSync(file, "utf8").trimEnd().split("\n").slice(-LINES_SHOWN).join("\n");
}

/**
 * Runs one command of the set-up quietly, with a line of progress at its end and every ten seconds.
 * Fails with a SetupProblem that carries the end of its output.
 */
async function runQuietly(title, command, args, env = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "standby-setup-"));
  const log = path.join(folder, "output");
  const out = fs.openSync(log, "w");
  const begun = Date.now();
  const seconds = () => `${((Date.now() - begun) / 1000).toFixed(1)} s`;
  say(`${title} ...`);
  const heartbeat = setInterval(
    () => say(`${title}: still at it after ${seconds()}`),
    HEARTBEAT_MS,
  );
  try {
    const child = spawn(command, args, {
      stdio: ["ignore", out, out],
      env: { ...process.env, ...env },
    });
    const { code, stoppedBy } = await wait(child);
    if (stoppedBy !== undefined) throw new SetupProblem(`stopped by ${stoppedBy} during: ${title}`);
    if (code !== 0) throw new SetupProblem(`${title} failed (exit ${code}):\n${lastLines(log)}`);
    say(`${title}: done in ${seconds()}`);
  } finally {
    clearInterval(heartbeat);
    fs.closeSync(out);
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { runAttached, runQuietly };
