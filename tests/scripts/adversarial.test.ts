// The adversarial set of bench/safety, case by case, and what a hand-over must bear without refusing.
import { face } from "../../bench/safety/adversarial";
import { ADVERSARIES } from "../../bench/safety/adversaries";
import { Pair } from "./harness";

jest.setTimeout(120_000);

/** Rules of others that must be seen to accept: without this the comparison would prove nothing. */
const FOOLED: Readonly<Record<string, readonly string[]>> = {
  "link cut just before the stop": ["lsn", "clean"],
  "unclean stop with equal checkpoints": ["lsn", "fields"],
  "token of a fence that was taken back": ["lsn", "clean", "fields"],
  "drain while the standby cannot fetch": ["lsn", "fields"],
};

test.each(ADVERSARIES.map((one) => [one.name, one] as const))("refused: %s", async (name, one) => {
  const verdict = await face(one);
  expect([verdict.said, verdict.accepted]).toEqual([expect.anything(), false]);
  expect(verdict.fooled).toEqual(expect.arrayContaining([...(FOOLED[name] ?? [])]));
});

test.each([
  ["hanging", "sleep 60"],
  ["failing", "false"],
])(
  "prepared and open transactions, a %s archiver and synchronous_standby_names do not hold up a flip",
  async (_how, archive) => {
    const pair = await Pair.streaming();
    try {
      for (const site of [pair.a, pair.b]) {
        await site.query("alter system set max_prepared_transactions = 5");
        await site.query("alter system set archive_mode = 'on'");
        await site.query(`alter system set archive_command = '${archive}'`);
        await site.stop();
      }
      await pair.a.start();
      await pair.b.start();
      await pair.holds("b", "rejoin", { value: "join" });
      await pair.a.query("create table ledger(n int primary key)");
      await pair.a.query("begin; insert into ledger values (1); prepare transaction 'later'");
      await pair.a.query("alter system set synchronous_standby_names = 'standby_b'");
      await pair.a.query("select pg_reload_conf()");
      // Not loaded yet: the promotion's own reload must not bring it to life.
      await pair.b.query("alter system set synchronous_standby_names = 'standby_nobody'");
      await pair.a.query("select pg_switch_wal()");
      const open = pair.a
        .query("begin; insert into ledger values (9); select pg_sleep(30)")
        .catch(() => "ended");
      const [fence] = await pair.switchover("a", "b", 2);
      expect(Number(fence?.facts.stop_ms)).toBeLessThan(10_000);
      expect(await open).toBe("ended");
      await pair.b.query("commit prepared 'later'");
      expect(await pair.b.query("select n from ledger")).toEqual([{ n: 1 }]);
      expect(await pair.writers()).toBe(1);
    } finally {
      await pair.close();
    }
  },
);

test("a delay of the replay is refused before anything stops", async () => {
  const pair = await Pair.streaming();
  try {
    await pair.b.query("alter system set recovery_min_apply_delay = '1h'");
    await pair.b.query("select pg_reload_conf()");
    const source = await pair.holds("a", "preflight", { value: "source" });
    const target = await pair.verb("b", "preflight", {
      value: "target",
      step_bound: 4,
      value_lsn: source.facts.lsn ?? "",
    });
    expect([target.code, target.stderr]).toEqual([
      77,
      expect.stringMatching(/recovery_min_apply_delay is/),
    ]);
    expect(await pair.writers()).toBe(1);
  } finally {
    await pair.close();
  }
});
