"use strict";
// What `npm run demo`, `lab`, `bench`, `faults` and `npm test` begin with: plain Node and its own modules only, because on a
// fresh clone nothing else is here yet. Sets up what is missing, then hands over; arguments, exit code and signals
// pass through.

const path = require("node:path");

const OLDEST_NODE = 20;
const PROGRAMS = {
  demo: "dist/lab/demo.js",
  lab: "dist/lab/keep.js",
  bench: "dist/bench/main.js",
  faults: "dist/tests/faults/main.js",
  test: "tests/run.js", // builds by itself: there the build is one of the checks
  majors: "tests/majors.js",
};

// On hosts of their own (lab/hosts), for which this process becomes their runner.
function wantsHosts(command, args) {
  if (command === "test") return process.env.STANDBY_TESTS === "hosts";
  return args.includes("--hosts") || (command === "bench" && args[0] === "boots");
}

async function main() {
  if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) {
    process.stderr.write(
      `Node ${OLDEST_NODE} or newer is needed, this is ${process.versions.node}.\n`,
    );
    return 1;
  }
  const { ensurePrograms } = require("./setup/debian.js");
  const { ensureWanted } = require("./setup/majors.js");
  const { ROOT, ensurePackages, build } = require("./setup/packages.js");
  const { runAttached } = require("./setup/run.js");
  const { roomProblem, runInRoom } = require("./setup/room.js");
  const { say, SetupProblem } = require("./setup/say.js");
  const { ensureTree } = require("./setup/tree.js");
  const [command, ...args] = process.argv.slice(2);
  const program = PROGRAMS[command];
  if (program === undefined) {
    process.stderr.write(
      `usage: node lab/bootstrap.js ${Object.keys(PROGRAMS).join("|")} [argument...]\n`,
    );
    return 2;
  }
  try {
    const hosts = wantsHosts(command, args);
    const problem = hosts ? roomProblem() : undefined;
    await ensurePrograms(command, { hosts: hosts && problem === undefined });
    await ensureWanted();
    await ensurePackages();
    // On hosts the tests run the program as users have it, which is the built one.
    if (command !== "test" || hosts) await build();
    const whole = [path.join(ROOT, program), ...args];
    if (hosts && problem === undefined) {
      return await runInRoom(await ensureTree(), process.execPath, whole);
    }
    // Tests and cells are skipped and say why; anything else cannot do without.
    if (hosts && !["test", "faults"].includes(command))
      throw new SetupProblem(`${problem}; hosts are out of reach`);
    return await runAttached(process.execPath, whole);
  } catch (problem) {
    if (!(problem instanceof SetupProblem)) throw problem;
    say(problem.message);
    return 1;
  }
}

void main().then((code) => {
  process.exitCode = code;
});
