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
  "/tests/scripts/(adversarial|delta|drain|leap|numbers|recovery|settings|remake|tablespaces|undo)",
];
// Hosts of their own, in a room that only one process at a time can fill: `npm run test:hosts`.
const HOSTS = "/tests/hosts/";
const wish = process.env.STANDBY_TESTS;
const left = { long: [HOSTS], hosts: [] }[wish] ?? [HOSTS, ...LONG];

/** Two workers: the machines this runs on have two cores, and clusters of their own beside them. The room has one address a site. */
module.exports = {
  testEnvironment: "node",
  testMatch: [`<rootDir>/tests/${wish === "hosts" ? "hosts/" : ""}**/*.test.ts`],
  testPathIgnorePatterns: ["/node_modules/", ...left],
  modulePathIgnorePatterns: ["<rootDir>/dist"],
  maxWorkers: wish === "hosts" ? 1 : 2,
  testTimeout: wish === "hosts" ? 240_000 : 60_000,
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
