// The closing line of `npm test` counts truly: what did not run has failed, and a skip needs a reason.

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  readonly unexplained: readonly string[];
}
interface Runner {
  readonly countsOf: (results: unknown, ok: boolean) => Counts;
}
// The runner is plain JavaScript, because it must work where the build does not.
const { countsOf } = jest.requireActual<Runner>("../runner/unit.js");

const suite = (status: string, fullName: string) => ({ assertionResults: [{ status, fullName }] });
const results = (more: object = {}) => ({
  numPassedTests: 3,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  testResults: [] as unknown[],
  ...more,
});

test("passed tests are added up", () => {
  expect(countsOf(results(), true)).toMatchObject({ passed: 3, failed: 0 });
});

test("a suite that could not be run counts as failed", () => {
  expect(countsOf(results({ numRuntimeErrorTestSuites: 2 }), false).failed).toBe(2);
});

test("no results at all count as failed", () => {
  expect(countsOf(undefined, true).failed).toBe(1);
});

test("an exit code without a failed test counts as failed", () => {
  expect(countsOf(results(), false).failed).toBe(1);
});

test("a skip is named by its reason", () => {
  const name = "engine contract (skipped: no pulumi on PATH)";
  const counts = countsOf(results({ testResults: [suite("pending", name)] }), true);
  expect(counts).toMatchObject({ failed: 0, skipped: [name], unexplained: [] });
});

test("a skip without a reason counts as failed", () => {
  const counts = countsOf(results({ testResults: [suite("pending", "engine contract")] }), true);
  expect(counts).toMatchObject({ failed: 1, skipped: [], unexplained: ["engine contract"] });
});
