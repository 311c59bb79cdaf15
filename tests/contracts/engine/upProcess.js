// Runs one `up` of the lab engine in this process: node upProcess.js PROJECT_DIR STATE_DIR
// TypeScript is compiled on the way in, with the compiler that the tests use.
const { transformSync } = require("@swc/core");
const { readFileSync } = require("node:fs");
require.extensions[".ts"] = (module, file) => {
  const options = { jsc: { parser: { syntax: "typescript" }, target: "es2022" } };
  const { code } = transformSync(readFileSync(file, "utf8"), {
    ...options,
    module: { type: "commonjs" },
  });
  module._compile(code, file);
};
const { openEngine } = require("../../../lab/engine/engine.ts");

const [projectDir, stateDir] = process.argv.slice(2);
const controller = new AbortController();
process.on("SIGINT", () => controller.abort());
openEngine({ projectDir, stateDir, stack: "dev", force: "lab" })
  .then((engine) => engine.up({ signal: controller.signal }))
  .then((result) => (process.exitCode = result.exitCode));
