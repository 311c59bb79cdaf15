"use strict";
// `npm test`: formatting, lint, types (which is the build), the shell's checks and jest.
// A line with its time per part; alone on the last line `N passed, N failed`. Each check counts as one test.

const path = require("node:path");
const { findBindir } = require("../lab/setup/postgres.js");
const { MAJORS, runMajors } = require("./majors.js");
const { run, runTool } = require("./runner/command.js");
const { shellChecks } = require("./runner/shell.js");
const { runUnitTests } = require("./runner/unit.js");

const LANES = 2;
// The part with hosts of their own is jest alone: the checks belong to `npm test`.
const HOSTS = process.env.STANDBY_TESTS === "hosts";
// The tours on hosts wait for real bounds, one after the other.
const HOSTS_BOUND = { boundMs: 40 * 60_000 };
const checks = [
  {
    name: "types and build",
    act: () => runTool("typescript/bin/tsc", ["--project", "tsconfig.json"]),
  },
  { name: "eslint", act: () => runTool("eslint/bin/eslint.js", ["."]) },
  { name: "prettier", act: () => runTool("prettier/bin/prettier.cjs", ["--check", "."]) },
  ...shellChecks,
];

function line(name, verdict, begun) {
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  process.stdout.write(`${name.padEnd(36)} ${verdict.padEnd(24)} ${seconds.padStart(6)} s\n`);
}

async function runCheck(check) {
  const begun = Date.now();
  const { ok, output } = await check.act();
  line(check.name, ok ? "ok" : "FAILED", begun);
  if (!ok) process.stdout.write(`${output.trimEnd()}\n`);
  return ok;
}

async function runChecks() {
  const waiting = [...checks];
  const verdicts = [];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      verdicts.push(await runCheck(next));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return verdicts;
}

/** The server that all of it runs on. */
async function tellPostgres() {
  const bindir = findBindir();
  const { output } = await run(path.join(bindir ?? "", "postgres"), ["--version"]);
  console.log(`${output.trim()} in ${bindir ?? "no folder"}`);
}

/** `npm run test:long`, where no suite of it was asked for: the other majors as well. */
async function addMajors(counts, args) {
  if (process.env.STANDBY_TESTS !== "long" || args.length > 0) return counts;
  const more = await runMajors(MAJORS);
  return {
    ...counts,
    passed: counts.passed + more.passed,
    failed: counts.failed + more.failed,
    skipped: [...counts.skipped, ...more.skipped],
  };
}

function report(counts, verdicts) {
  for (const name of counts.unexplained) console.log(`FAILED: skipped without a reason: ${name}`);
  for (const name of counts.skipped) console.log(`skipped: ${name}`);
  const passed = verdicts.filter((ok) => ok).length + counts.passed;
  const failed = verdicts.filter((ok) => !ok).length + counts.failed;
  const skipped = counts.skipped.length === 0 ? "" : `, ${counts.skipped.length} skipped`;
  console.log(`${passed} passed, ${failed} failed${skipped}`);
  return failed === 0 ? 0 : 1;
}

// Root has hosts: there a skipped suite would be evidence that is missing without a word.
function withoutExcuses(counts) {
  if (!HOSTS || process.getuid() !== 0) return counts;
  for (const name of counts.skipped) console.log(`FAILED: skipped as root: ${name}`);
  return { ...counts, failed: counts.failed + counts.skipped.length, skipped: [] };
}

async function main() {
  const args = process.argv.slice(2);
  await tellPostgres();
  const verdicts = HOSTS ? [] : await runChecks();
  const begun = Date.now();
  const counts = withoutExcuses(await runUnitTests(args, HOSTS ? HOSTS_BOUND : {}));
  line("jest", counts.failed === 0 ? `ok, ${counts.passed} tests` : "FAILED", begun);
  return report(await addMajors(counts, args), verdicts);
}

void main().then((code) => {
  process.exitCode = code;
});
