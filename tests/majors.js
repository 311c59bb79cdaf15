"use strict";
// `npm run test:majors`: PostgreSQL 14 to 18, each with the tour, the suites of the verbs and of the delta, and 24 cells of
// the fault matrix. `npm run test:majors -- 14 17` takes some of them, `newest` the newest, `--part tour|verbs|cells` one part;
// `--quick` leaves out what `npm test` leaves to test:long.
// A major whose programs are not to be had is a skip that says why. The last line is `N passed, N failed, N skipped`.

const path = require("node:path");
const { parseArgs } = require("node:util");
const { MAJORS, majorHere } = require("../lab/setup/majors.js");
const { run } = require("./runner/command.js");
const { runUnitTests } = require("./runner/unit.js");

const PARTS = ["tour", "verbs", "cells"];
const VERBS_MS = 30 * 60_000;
const DIST = path.resolve(__dirname, "../dist");

// Where majors could differ: each boundary once, then crashes, rewinds, deltas and seeds.
const CELLS = [
  "switchover/preflight/replay-paused",
  "switchover/prepare/a-crash",
  "switchover/join/b-crash",
  "switchover/witness/set-back-after-kill",
  "switchover/drain/runner-killed-before",
  "switchover/fence/a-crash",
  "switchover/fence/verb-killed-at-signal-placed",
  "switchover/fence/slot-missing",
  "switchover/verify/b-crash",
  "switchover/verify/standby-stuck",
  "switchover/verify/received-wal-damaged",
  "switchover/promote/runner-killed-during",
  "switchover/promote/b-reboot",
  "switchover/promote/synchronous-standby-named",
  "switchover/serve/started-by-hand",
  "switchover/rejoin/slot-missing",
  "switchover/settle/a-b-link-cut",
  "failover/drain/host-lost-runner-killed-before",
  "failover/fence/database-dead-runner-killed-before",
  "failover/promote/host-lost-b-reboot",
  "failover/rejoin/database-dead-returns-under-load",
  "failover/rejoin/returns-with-writes-of-its-own-under-load",
  "failover/rejoin/returns-with-a-transaction-across-the-fork",
  "failover/rejoin/started-by-hand-in-a-killed-rewind",
];

/** What a program says is shown when it fails; its own closing line counts where it has one. */
async function runProgram(file, args) {
  const { ok, output } = await run(process.execPath, [path.join(DIST, file), ...args]);
  const sum = /^(\d+) passed, (\d+) failed/m.exec(output);
  const failed = Number(sum?.[2] ?? (ok ? 0 : 1));
  if (!ok) process.stdout.write(output);
  const passed = Number(sum?.[1] ?? (ok ? 1 : 0));
  return { passed, failed: failed === 0 && !ok ? 1 : failed, skipped: [], output };
}

const closing = (output, pattern) => output.split("\n").filter((line) => pattern.test(line));

const ACTS = {
  async tour() {
    const counts = await runProgram("lab/demo.js", []);
    const told = closing(counts.output, /(database gap|two writers|missing|whole tour)/);
    for (const line of told) console.log(`    ${line.trim()}`);
    return counts;
  },
  async verbs() {
    const counts = await runUnitTests(["tests/scripts"], { boundMs: VERBS_MS });
    const unexplained = counts.unexplained.map(
      (name) => `FAILED: skipped without a reason: ${name}`,
    );
    for (const line of unexplained) console.log(line);
    return counts;
  },
  async cells() {
    const list = ["--cell", CELLS.join(","), "--limit", "540"];
    const counts = await runProgram("tests/faults/main.js", list);
    for (const line of closing(counts.output, /cells green/)) console.log(`    ${line}`);
    return counts;
  },
};

/** The parts that start servers of their own read what to start from the environment. */
async function runMajor({ major, version, source }, parts) {
  process.env.STANDBY_POSTGRES = String(major);
  const sum = { passed: 0, failed: 0, skipped: [] };
  console.log(`PostgreSQL ${major}: ${version}, ${source}`);
  for (const part of parts) {
    const begun = Date.now();
    const { passed, failed, skipped } = await ACTS[part]();
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped.push(...skipped.map((name) => `PostgreSQL ${major}: ${name}`));
    const seconds = ((Date.now() - begun) / 1000).toFixed(0);
    console.log(`  ${part.padEnd(6)} ${passed} passed, ${failed} failed, ${seconds} s`);
  }
  return sum;
}

/** Runs the parts on each major; resolves to { passed, failed, skipped: [name with its reason] }. */
async function runMajors(majors, parts = PARTS) {
  const was = process.env.STANDBY_POSTGRES;
  const sum = { passed: 0, failed: 0, skipped: [] };
  for (const major of majors) {
    const here = await majorHere(major);
    if (here.skip !== undefined) {
      sum.skipped.push(`PostgreSQL ${major} (skipped: ${here.skip})`);
      continue;
    }
    const { passed, failed, skipped } = await runMajor(here, parts);
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped.push(...skipped);
  }
  if (was === undefined) delete process.env.STANDBY_POSTGRES;
  else process.env.STANDBY_POSTGRES = was;
  return sum;
}

module.exports = { MAJORS, runMajors };

async function main(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      part: { type: "string", multiple: true, default: PARTS },
      quick: { type: "boolean", default: false },
    },
  });
  const strange = values.part.filter((part) => !PARTS.includes(part));
  const majors = positionals.map((one) => (one === "newest" ? MAJORS.at(-1) : Number(one)));
  if (strange.length > 0 || majors.some((major) => !MAJORS.includes(major))) {
    console.log(
      `usage: npm run test:majors -- [${MAJORS.join("|")}|newest ...] [--part ${PARTS.join("|")}] [--quick]`,
    );
    return 2;
  }
  // The delta, the rewinds and the undos are in the long suites.
  if (!values.quick) process.env.STANDBY_TESTS = "long";
  const { passed, failed, skipped } = await runMajors(
    majors.length > 0 ? majors : MAJORS,
    values.part,
  );
  for (const name of skipped) console.log(`skipped: ${name}`);
  console.log(
    `${passed} passed, ${failed} failed${skipped.length === 0 ? "" : `, ${skipped.length} skipped`}`,
  );
  return failed === 0 ? 0 : 1;
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
