import { overlappingAcks, longestGap, reportLedger } from "../../lab/ledger/report";
import { judge, type Operation, type Outcome } from "../../lab/ledger/operations";
import { DatabaseError } from "pg";

function write(
  seq: number,
  host: string,
  startMs: number,
  endMs: number,
  outcome: Outcome,
): Operation {
  return { writer: 1, seq, host, startMs, endMs, outcome };
}

describe("the ledger's report", () => {
  const operations = [
    write(1, "one", 0, 5, "acknowledged"),
    write(2, "one", 5, 9, "acknowledged"),
    write(3, "one", 9, 12, "indeterminate"),
    write(4, "one", 12, 13, "failed"),
    write(5, "two", 20, 25, "acknowledged"),
    write(6, "two", 25, 26, "indeterminate"),
  ];
  const row = (seq: number) => ({ writer: 1, seq });

  test("names an acknowledged write that is nowhere", () => {
    const report = reportLedger(operations, [row(1), row(5)]);
    expect(report).toMatchObject({ acked: 3, lost: ["1:2"], duplicates: [], unexpected: [] });
  });

  test("counts a row of the delta as kept, and one that is in both as a duplicate", () => {
    const report = reportLedger(operations, [row(1), row(5)], [row(2), row(5)]);
    expect(report).toMatchObject({ lost: [], duplicates: ["1:5"] });
  });

  test("tells indeterminate writes that were applied from those that were not", () => {
    const report = reportLedger(operations, [row(1), row(2), row(3), row(5)]);
    expect(report.indeterminate).toEqual({ applied: 1, absent: 1 });
  });

  test("names rows that were refused or that nobody sent", () => {
    const rows = [row(1), row(2), row(4), row(5), row(77)];
    expect(reportLedger(operations, rows).unexpected).toEqual(["1:4", "1:77"]);
  });

  test("two hosts that follow each other do not overlap", () => {
    expect(reportLedger(operations, []).overlappingAcks).toBe(0);
  });

  test("a write of the old host that is acknowledged after one began on the new host overlaps", () => {
    const acked = [
      write(1, "one", 0, 5, "acknowledged"),
      write(2, "two", 6, 9, "acknowledged"),
      write(3, "one", 8, 12, "acknowledged"),
      write(4, "two", 13, 14, "acknowledged"),
    ];
    expect(overlappingAcks(acked)).toBe(1);
  });
});

describe("the longest gap", () => {
  const moments = [0, 10, 20, 320, 330, 900, 905];

  test("is the longest stretch between two successes that touches the window", () => {
    expect(longestGap(moments, 5, 325)).toEqual({ ms: 300, fromMs: 20, toMs: 320 });
    expect(longestGap(moments, 300, 305)).toEqual({ ms: 300, fromMs: 20, toMs: 320 });
    expect(longestGap(moments)).toEqual({ ms: 570, fromMs: 330, toMs: 900 });
  });

  test("is unknown while it is still open at the window's end", () => {
    expect(longestGap(moments, 0, 1000)).toBeUndefined();
    expect(longestGap([])).toBeUndefined();
  });
});

describe("an error is judged by what it proves", () => {
  const failure = (code: string) => Object.assign(new DatabaseError("x", 1, "error"), { code });

  test.each(["25006", "57P03", "53300", "23505", "22001"])("%s: not executed", (code) => {
    expect(judge(failure(code))).toEqual({ outcome: "failed", error: code });
  });

  test.each([failure("57P01"), failure("XX000"), new Error("Connection terminated")])(
    "%s: nobody knows",
    (error) => {
      expect(judge(error).outcome).toBe("indeterminate");
    },
  );
});
