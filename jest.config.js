"use strict";

// Suites of minutes: kills at every step, power cuts, broken pairs, the package as others install it. `npm run test:long`
// runs them; `npm test` stays within five minutes without them.
const LONG = [
  "/tests/engine/",
  "/tests/faults/model",
  "/tests/guard/",
  "/tests/input/(live|secrets)",
  "/tests/lab/dnsPending",
  "/tests/package/",
  "/tests/scripts/(adversarial|delta|drain|remake|undo)",
];
const long = process.env.STANDBY_TESTS === "long";

/** Two workers: the machines this runs on have two cores, and clusters of their own beside them. */
module.exports = {
  testEnvironment: "node",
  testMatch: ["<rootDir>/tests/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", ...(long ? [] : LONG)],
  modulePathIgnorePatterns: ["<rootDir>/dist"],
  maxWorkers: 2,
  testTimeout: 60_000,
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2022" },
        module: { type: "commonjs" },
      },
    ],
  },
};
