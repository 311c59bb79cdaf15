"use strict";
// Where PostgreSQL's programs may lie: the same places as lab/postgres/programs.ts looks in.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const DEBIAN = "/usr/lib/postgresql";

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Where the majors that Debian's folder lacks are unpacked. As root it must be open to the clusters' owner. */
function majorsFolder() {
  const own = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache");
  return path.join(process.getuid?.() === 0 ? "/var/cache" : own, "pulumi-standby", "postgres");
}

function usualFolders() {
  const debian = fs.existsSync(DEBIAN) ? fs.readdirSync(DEBIAN) : [];
  return debian
    .sort((left, right) => Number(right) - Number(left))
    .map((version) => path.join(DEBIAN, version, "bin"))
    .concat((process.env.PATH ?? "").split(":").filter((folder) => folder !== ""));
}

/** Folders that a value of STANDBY_POSTGRES stands for: a major's two places, or the folder itself. */
function foldersOf(wanted) {
  if (!/^\d+$/.test(wanted)) return [wanted];
  return [DEBIAN, majorsFolder()].map((root) => path.join(root, wanted, "bin"));
}

/** The folder that demo, tests and faults take their server from, or undefined. */
function findBindir(wanted = process.env.STANDBY_POSTGRES ?? "") {
  const folders = wanted === "" ? usualFolders() : foldersOf(wanted);
  return folders.find((folder) => isExecutable(path.join(folder, "initdb")));
}

module.exports = { DEBIAN, findBindir, isExecutable, majorsFolder };
