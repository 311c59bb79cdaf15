"use strict";
// The jest part: what it counted, and what was skipped for which reason.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { runTool } = require("./command.js");

// A skipped test says why in its title: `... (skipped: no pulumi on PATH)`.
const REASON = /\(skipped: .+\)/;

function readResults(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined; // jest ended before it wrote them
  }
}

function skippedTests(results) {
  return results.testResults
    .flatMap((suite) => suite.assertionResults)
    .filter((test) => ["pending", "todo", "skipped", "disabled"].includes(test.status))
    .map((test) => test.fullName);
}

/** Sums of jest's own results. A suite that did not run, and a skip without a reason, count as failed. */
function countsOf(results, ok) {
  if (results === undefined) return { passed: 0, failed: 1, skipped: [], unexplained: [] };
  const names = skippedTests(results);
  const unexplained = names.filter((name) => !REASON.test(name));
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + unexplained.length;
  return {
    passed: results.numPassedTests,
    failed: failed === 0 && !ok ? 1 : failed,
    skipped: names.filter((name) => REASON.test(name)),
    unexplained,
  };
}

/** Runs jest on our own terminal; `args` are jest's (a path, -t NAME). */
async function runUnitTests(args, options = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "standby-test-"));
  const file = path.join(folder, "results.json");
  try {
    const own = ["--json", `--outputFile=${file}`];
    const { ok } = await runTool("jest/bin/jest.js", [...own, ...args], { ...options, live: true });
    return countsOf(readResults(file), ok);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { runUnitTests, countsOf };
