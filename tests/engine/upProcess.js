"use strict";
// One `up` of the built engine in a process of its own, so that a test can kill it: node upProcess.js LAB_FOLDER
// Prints `pre URN` and `done URN OK` as steps begin and end, and last `exit CODE`.
const path = require("node:path");
const root = path.join(__dirname, "..", "..");
const { openEngine } = require(path.join(root, "dist/lab/engine/engine.js"));

const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
const say = (text) => process.stdout.write(`${text}\n`);
const onEvent = (event) => {
  if (event.kind === "pre") say(`pre ${event.urn}`);
  if (event.kind === "done") say(`done ${event.step.urn} ${String(event.step.ok)}`);
};
openEngine({
  projectDir: path.join(root, "stacks", "demo"),
  stack: "demo",
  stateDir: path.join(process.argv[2], "stack"),
  passphrase: "lab",
  force: "lab",
})
  .then((engine) => engine.up({ signal: controller.signal, onEvent }))
  .then((result) => {
    say(`exit ${result.exitCode}`);
    process.exitCode = result.exitCode;
  });
