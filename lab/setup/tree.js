"use strict";
// The tree of files that the lab's hosts start from: a small Debian with systemd, sshd and PostgreSQL, made once by
// mmdebstrap from this machine's own apt sources, and never changed (each host writes to a layer of its own).

const { execFileSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { runQuietly } = require("./run.js");

// README and stacks/example name PostgreSQL 15, which is bookworm's.
const SUITE = "bookworm";
const PACKAGES = [
  "systemd,systemd-sysv,dbus,libpam-systemd",
  "openssh-server,iproute2,procps,nftables,cron,logrotate,less,locales",
  "postgresql-15,bind9-dnsutils,openssl,curl,ca-certificates,rsync,util-linux,util-linux-extra,sudo",
];
// No cluster comes with the tree: two hosts that share a system identifier would be no strangers to each other.
const HOOKS = [
  '--essential-hook=mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"',
  '--customize-hook=rm "$1/etc/postgresql-common/createcluster.conf" "$1"/etc/ssh/ssh_host_* && : >"$1/etc/machine-id"',
];

function cacheFolder() {
  const home = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache");
  return path.join(home, "pulumi-standby", "hosts");
}

/** Paragraphs and lines of this machine's apt sources that carry the suite, as files that mmdebstrap takes. */
function ownSources(folder) {
  const main = "/etc/apt/sources.list";
  const parts = "/etc/apt/sources.list.d";
  const files = fs.existsSync(parts)
    ? fs.readdirSync(parts).map((name) => path.join(parts, name))
    : [];
  const word = new RegExp(`\\b${SUITE}(?=[-\\s/]|$)`);
  return [main, ...files]
    .filter((file) => /\.(list|sources)$/.test(file) && fs.existsSync(file))
    .flatMap((file) => {
      const text = fs.readFileSync(file, "utf8");
      const isList = file.endsWith(".list");
      const kept = text
        .split(isList ? "\n" : /\n\s*\n/)
        .filter(
          (one) => (isList ? /^deb\s/ : /^Suites:/m).test(one) && word.test(suitesOf(one, isList)),
        );
      if (kept.length === 0) return [];
      const target = path.join(folder, `${path.basename(file)}`);
      fs.writeFileSync(target, `${kept.join(isList ? "\n" : "\n\n")}\n`);
      return [target];
    });
}

function suitesOf(one, isList) {
  if (!isList) return /^Suites:(.*)$/m.exec(one)?.[1] ?? "";
  return (
    one
      .replace(/\[[^\]]*\]/, "")
      .trim()
      .split(/\s+/)[2] ?? ""
  );
}

/** How this machine reaches its mirrors: proxies, retries and checks of its own apt. */
function aptOptions(file) {
  const dump = execFileSync("apt-config", ["dump"], { encoding: "utf8" });
  const kept = dump
    .split("\n")
    .filter((line) => /^Acquire::(https?|ftp|Retries|Check-Valid-Until)\b/i.test(line));
  fs.writeFileSync(file, `${kept.join("\n")}\n`);
  return file;
}

/**
 * Gives the folder of the tree; makes it if it is not there (about half a minute).
 * STANDBY_HOSTS_TREE names another one, which is taken as it is.
 */
async function ensureTree() {
  const given = process.env.STANDBY_HOSTS_TREE;
  if (given !== undefined && given !== "") return path.resolve(given);
  const key = createHash("sha256")
    .update([SUITE, ...PACKAGES, ...HOOKS].join("\n"))
    .digest("hex");
  const tree = path.join(cacheFolder(), `${SUITE}-${key.slice(0, 12)}`);
  if (fs.existsSync(tree)) return tree;
  fs.mkdirSync(cacheFolder(), { recursive: true });
  const work = fs.mkdtempSync(path.join(cacheFolder(), ".new-"));
  try {
    await make(work, tree);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
  return tree;
}

async function make(work, tree) {
  const fresh = path.join(work, "tree");
  const sources = ownSources(work);
  const args = ["--variant=minbase", "--mode=root", `--include=${PACKAGES.join(",")}`];
  const from = [`--aptopt=${aptOptions(path.join(work, "apt.conf"))}`, ...HOOKS];
  await runQuietly(`a Debian tree for the lab's hosts (${SUITE})`, "mmdebstrap", [
    ...args,
    ...from,
    SUITE,
    fresh,
    ...sources,
  ]);
  fs.chmodSync(fresh, 0o755);
  try {
    fs.renameSync(fresh, tree); // at once, so that a half-made tree is never found
  } catch (problem) {
    if (!fs.existsSync(tree)) throw problem; // somebody else was faster
  }
}

module.exports = { ensureTree };
