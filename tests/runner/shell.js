"use strict";
// The checks of the shell scripts, each alone. tests/house/composed.test.ts checks them as they run on a site.

const fs = require("node:fs");
const path = require("node:path");
const { ROOT, run } = require("./command.js");

const FOLDERS = ["scripts", "bench", "lab", "stacks", "tests"];
// Alone, a verb uses what lib.sh assigns (SC2154) and assigns what lib.sh uses (SC2034).
const ALONE = "--exclude=SC2154,SC2034";

function shellFiles(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "fixtures" ? [] : shellFiles(full);
    return entry.name.endsWith(".sh") ? [full] : [];
  });
}

function allFiles() {
  return FOLDERS.flatMap((folder) => shellFiles(path.join(ROOT, folder)));
}

async function readByDash() {
  const results = [];
  for (const file of allFiles()) results.push(await run("dash", ["-n", file]));
  return {
    ok: results.every((result) => result.ok),
    output: results.map((result) => result.output).join(""),
  };
}

/** One named check per program; each resolves to { ok, output }. */
const shellChecks = [
  { name: "shellcheck", act: () => run("shellcheck", ["--shell=sh", ALONE, ...allFiles()]) },
  { name: "shfmt", act: () => run("shfmt", ["-d", "-ln", "posix", "-i", "2", ...allFiles()]) },
  { name: "dash -n", act: readByDash },
];

module.exports = { shellChecks };
