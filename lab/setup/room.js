"use strict";
// The room: a network, mounts and processes of our own, with the hosts of lab/hosts in it. Whatever ends it, SIGKILL
// included, ends all that runs in it and takes the disks with it; only control group folders are left to sweep.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { runAttached } = require("./run.js");

const SWEEP = `
while read -r _; do :; done
tries=0
while [ -d "$1" ] && [ "$tries" -lt 100 ]; do
  if [ -e "$1/cgroup.kill" ]; then echo 1 >"$1/cgroup.kill"; fi
  find "$1" -depth -type d -exec rmdir {} + && break
  tries=$((tries + 1))
  sleep 0.05
done
rmdir "$2"
`;

/** Where control groups of version 2 are mounted, or undefined. */
function controlGroups() {
  const mounts = fs.readFileSync("/proc/self/mounts", "utf8").split("\n");
  return mounts.map((line) => line.split(" ")).find(([, , kind]) => kind === "cgroup2")?.[1];
}

/** Why no room can be made here; undefined when it can. */
function roomProblem() {
  if (process.platform !== "linux") return "hosts need Linux";
  if (process.getuid?.() !== 0) return "hosts need root";
  const groups = controlGroups();
  if (groups === undefined) return "no cgroup2 is mounted";
  try {
    fs.rmdirSync(fs.mkdtempSync(path.join(groups, "standby-room-")));
  } catch {
    return `${groups} cannot be written`;
  }
  return undefined;
}

// unshare itself ignores SIGTERM while it waits; its child, the room's first process, passes signals on.
function deliver(child, signal) {
  const file = `/proc/${child.pid}/task/${child.pid}/children`;
  const inner = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "";
  if (inner === "") child.kill(signal);
  else process.kill(Number(inner), signal);
}

/**
 * Runs a program in a room of its own on our terminal; resolves to its exit code.
 * It finds the room in STANDBY_ROOM, its control group in STANDBY_ROOM_CGROUP and the tree of its hosts in STANDBY_HOSTS_TREE.
 */
async function runInRoom(tree, command, args) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "standby-room-"));
  const group = path.join(controlGroups(), path.basename(folder));
  fs.mkdirSync(group);
  const sweeper = spawn("sh", ["-c", SWEEP, "sh", group, folder], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const swept = new Promise((resolve) => sweeper.once("exit", resolve));
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const first = ["sh", path.join(__dirname, "room.sh"), folder];
  try {
    return await runAttached(
      "setpriv",
      ["--pdeathsig", "KILL", "unshare", ...namespaces, ...first, command, ...args],
      {
        deliver,
        env: { STANDBY_ROOM: folder, STANDBY_ROOM_CGROUP: group, STANDBY_HOSTS_TREE: tree },
      },
    );
  } finally {
    sweeper.stdin.end();
    await swept;
  }
}

module.exports = { roomProblem, runInRoom };
