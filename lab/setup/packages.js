"use strict";
// node_modules as package-lock.json wants it, and dist/ as the sources are.

const fs = require("node:fs");
const path = require("node:path");
const { runQuietly } = require("./run.js");

const ROOT = path.resolve(__dirname, "../..");

function packagesIn(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), "utf8")).packages;
  } catch {
    return undefined; // absent, or cut off in the middle of an earlier set-up
  }
}

/** Compared by content, not by time: a checkout touches the lock without changing it. npm writes its copy last. */
function isInstalled() {
  const locked = packagesIn("package-lock.json");
  const installed = packagesIn("node_modules/.package-lock.json");
  if (locked === undefined || installed === undefined) return false;
  return Object.entries(locked).every(
    ([place, wanted]) =>
      place === "" ||
      wanted.link === true ||
      (installed[place] === undefined
        ? wanted.optional === true
        : installed[place].version === wanted.version),
  );
}

function npm(args) {
  const own = process.env.npm_execpath;
  return own !== undefined && /\.c?js$/.test(own)
    ? [process.execPath, [own, ...args]]
    : ["npm", args];
}

/** Runs `npm ci` unless node_modules already is what the lock says. No package's own install script is needed. */
async function ensurePackages() {
  if (isInstalled()) return;
  const [command, args] = npm([
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefix",
    ROOT,
  ]);
  await runQuietly("npm ci (about half a minute)", command, args);
}

/** Compiles the sources into dist/; incremental, so that an unchanged tree costs a second. */
async function build() {
  const tsc = path.join(ROOT, "node_modules/typescript/bin/tsc");
  await runQuietly("build", process.execPath, [tsc, "--project", path.join(ROOT, "tsconfig.json")]);
}

module.exports = { ROOT, ensurePackages, build };
