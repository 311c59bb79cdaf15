"use strict";
// What the lab needs from the system. As root on Debian it is installed; anybody else is told the one line to type.
// Danger: Debian starts what it installs. No cluster, server or port of the system may come up because of a demo.

const fs = require("node:fs");
const path = require("node:path");
const { findBindir, isExecutable } = require("./postgres.js");
const { runQuietly } = require("./run.js");
const { say, SetupProblem } = require("./say.js");

const CLUSTER_CONF = "/etc/postgresql-common/createcluster.conf";
const POLICY = "/usr/sbin/policy-rc.d";
const POLICY_TEXT =
  "#!/bin/sh\n# pulumi-standby: nothing is started while its lab is installed\nexit 101\n";
const APT = ["-y", "-o", "DPkg::Lock::Timeout=120"];
const KEEP_OUR_FILES = [
  "-o",
  "Dpkg::Options::=--force-confdef",
  "-o",
  "Dpkg::Options::=--force-confold",
];

const PATH = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");

/** Is a program on PATH, or where an ordinary user's PATH does not look? */
function onPath(name) {
  const folders = [...PATH, "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(path.join(folder, name)));
}

const need = (what, inPackage, here = () => onPath(what)) => ({ what, inPackage, here });
const ALWAYS = [
  need("PostgreSQL's server", "postgresql", () => findBindir("") !== undefined),
  need("dig", "bind9-dnsutils"),
  need("openssl", "openssl"),
  need("flock", "util-linux"),
  need("setpriv", "util-linux"),
  need("timeout", "coreutils"),
];
const FOR_TESTS = [
  need("shellcheck", "shellcheck"),
  need("shfmt", "shfmt"),
  need("dash", "dash"),
  // The verbs are read by whichever awk a site has.
  need("mawk", "mawk"),
  need("gawk", "gawk"),
  need("busybox", "busybox"),
];
const SSHD = need("sshd", "openssh-server");

const FOR_HOSTS = [
  need("mmdebstrap", "mmdebstrap"),
  need("systemd-nspawn", "systemd-container"),
  need("nft", "nftables"),
  need("ip", "iproute2"),
  need("ssh", "openssh-client"),
  need("nsenter", "util-linux"),
];
// Login shells that are none of the family of sh; a suite takes them to its hosts.
const FOR_HOST_TESTS = [need("fish", "fish"), need("tcsh", "tcsh")];

function wanted(command, hosts) {
  const tests = command === "test";
  const needs = [...ALWAYS, ...(tests ? FOR_TESTS : []), ...(hosts ? FOR_HOSTS : [])];
  return tests && hosts ? [...needs, ...FOR_HOST_TESTS] : needs;
}

// An ssh server opens a port at the next boot, so it comes only to a throw-away machine or when asked for.
function sshIsWelcome() {
  return process.env.CI === "true" || process.env.STANDBY_LAB_SSH === "1";
}

function packagesOf(needs) {
  return [...new Set(needs.map((each) => each.inPackage))];
}

// Read before postgresql-common is unpacked; without it Debian creates and starts a cluster on port 5432.
function forbidMainCluster() {
  const text = fs.existsSync(CLUSTER_CONF) ? fs.readFileSync(CLUSTER_CONF, "utf8") : "";
  if (/^\s*create_main_cluster\s*=/m.test(text)) return;
  fs.mkdirSync(path.dirname(CLUSTER_CONF), { recursive: true });
  fs.appendFileSync(
    CLUSTER_CONF,
    `${text === "" || text.endsWith("\n") ? "" : "\n"}create_main_cluster = false\n`,
  );
}

/** Debian's own switch against starting services while packages are installed; a policy of the machine stays. */
async function withNothingStarted(install) {
  const present = fs.existsSync(POLICY);
  const leftByUs = present && fs.readFileSync(POLICY, "utf8") === POLICY_TEXT;
  if (!present) fs.writeFileSync(POLICY, POLICY_TEXT, { mode: 0o755 });
  try {
    await install();
  } finally {
    if (!present || leftByUs) fs.rmSync(POLICY, { force: true });
  }
}

function serverPids() {
  const name = (pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    } catch {
      return ""; // the process ended while we looked
    }
  };
  return fs
    .readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && ["postgres", "sshd", "named"].includes(name(pid)));
}

async function install(packages) {
  const env = { DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_MODE: "l" };
  const before = new Set(serverPids());
  if (packages.includes("postgresql")) forbidMainCluster();
  await withNothingStarted(async () => {
    await runQuietly("apt-get update", "apt-get", ["update", ...APT], env);
    const options = [...APT, ...KEEP_OUR_FILES, "--no-install-recommends"];
    const args = ["install", ...options, ...packages];
    await runQuietly(`apt-get install ${packages.join(" ")}`, "apt-get", args, env);
  });
  const fresh = serverPids().filter((pid) => !before.has(pid));
  if (fresh.length > 0)
    say(`NOTE: servers began to run meanwhile, not ours: pid ${fresh.join(", ")}`);
}

function problemOf(missing) {
  const what = missing.map((each) => each.what).join(", ");
  const line = `apt-get update && apt-get install -y --no-install-recommends ${packagesOf(missing).join(" ")}`;
  return new SetupProblem(`missing here: ${what}. As root: ${line}`);
}

async function offerSsh(canInstall) {
  if (!sshIsWelcome() || SSHD.here() || !canInstall) return;
  await install([SSHD.inPackage]).catch((problem) =>
    say(`no sshd, the lab does without: ${problem.message}`),
  );
}

/**
 * Makes sure that the programs a command needs are here; with `hosts` also those of lab/hosts.
 * Throws a SetupProblem with the one line to type when something is missing and we may not install it.
 */
async function ensurePrograms(command, { hosts = false } = {}) {
  const absent = () => wanted(command, hosts).filter((each) => !each.here());
  const canInstall = process.getuid?.() === 0 && onPath("apt-get");
  const missing = absent();
  if (missing.length > 0 && canInstall) await install(packagesOf(missing));
  const stillMissing = absent();
  if (stillMissing.length > 0) throw problemOf(stillMissing);
  await offerSsh(canInstall);
}

module.exports = { ensurePrograms };
