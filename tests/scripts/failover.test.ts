import { Pair, stateOf } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
let epoch = 1;

beforeEach(async () => {
  pair = await Pair.streaming();
  epoch = 1;
  await pair.a.query("create table ledger(n int primary key)");
});
afterEach(() => pair.close());

function lossOfA(): Record<string, string> {
  epoch += 1;
  return pair.epoch(epoch, "a", "b", "failover");
}

async function failOver(lines: Record<string, string>): Promise<void> {
  await pair.holds("b", "verify", { value: "accepted", accept_loss: String(epoch), ...lines });
  await pair.holds("b", "promote", { value: "permit", ...lines });
}

test("a primary that still answers is not lost, whatever was accepted", async () => {
  const lines = lossOfA();
  const outcome = await pair.verb("b", "verify", { value: "accepted", accept_loss: 2, ...lines });
  expect([outcome.code, outcome.stderr]).toEqual([
    77,
    expect.stringMatching(/still answers .* writable primary/),
  ]);
  expect(await pair.writers()).toBe(1);
});

test("a killed primary is replaced, comes back fenced and follows when it holds nothing of its own", async () => {
  await pair.a.query("insert into ledger values (1)");
  const lines = lossOfA();
  await pair.a.kill();
  await failOver(lines);
  await pair.b.query("insert into ledger values (2)");
  expect(await pair.observe("a")).toMatchObject({ role: "down", control_state: "in_production" });

  const fence = await pair.holds("a", "fence", { value: "dead", ...lines });
  expect(fence.facts).toMatchObject({ fenced: "yes", token: "-" });
  expect(await pair.writers()).toBe(1);
  const rejoin = await pair.holds("a", "rejoin", lines);
  expect(rejoin.facts).toEqual({ way: "follow", streaming: "yes" });
  expect(await pair.a.query("select n from ledger order by n")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a primary with writes of its own stays in quarantine, with both positions named", async () => {
  await pair.b.stop();
  await pair.a.query("insert into ledger values (1)");
  await pair.a.kill();
  await pair.b.start();
  const lines = lossOfA();
  await failOver(lines);
  const rejoin = await pair.verb("a", "rejoin", lines);
  expect(rejoin.code).toBe(75);
  expect(rejoin.facts["way"]).toBe("diverged");
  expect(rejoin.stderr).toMatch(
    /holds WAL up to .* on timeline 1, but site b left that timeline at/,
  );
  const [fork = "", end = ""] = [rejoin.facts["fork"], rejoin.facts["end"]];
  expect(fork.length + end.length).toBeGreaterThan(0);
  expect(fork).not.toBe(end);
  // In recovery, its row still there, following nobody; and asked again it says the same.
  expect(await pair.observe("a")).toMatchObject({
    role: "standby",
    quarantine: "yes",
    streaming: "no",
  });
  expect(await pair.a.query("select n from ledger")).toEqual([{ n: 1 }]);
  const again = await pair.verb("a", "rejoin", lines);
  expect([again.code, again.facts["way"]]).toEqual([75, "diverged"]);
  expect(await pair.writers()).toBe(1);
});

test("a promoted site that rebooted as a standby takes its role again without a new timeline", async () => {
  await pair.a.kill();
  const lines = lossOfA();
  await failOver(lines);
  await pair.b.query("insert into ledger values (5)");
  await pair.b.kill();
  await pair.holds("b", "check", { value: "fence" });
  // What a guard does at boot: the signal first, then a start.
  await pair.verb("b", "fence", { value: "dead", ...lines, to: "b" });
  const outcome = await pair.holds("b", "promote", { value: "permit", ...lines });
  expect(outcome.facts).toMatchObject({ role: "primary", timeline: "2" });
  expect(await pair.b.query("select n from ledger")).toEqual([{ n: 5 }]);
  expect(stateOf(pair.b)["promoted"]).toBe("2 2");
});

test("leftovers of an older life do not promote a fenced server", async () => {
  await pair.a.query("alter system set recovery_target_time = '2001-01-01 00:00:00+00'");
  await pair.a.query("alter system set recovery_target_action = 'promote'");
  expect((await pair.observe("a"))["leftovers"]).toBe("recovery_target_time");
  await pair.a.kill();
  const lines = lossOfA();
  await failOver(lines);
  expect((await pair.holds("a", "rejoin", lines)).facts["way"]).toBe("follow");
  expect(await pair.writers()).toBe(1);
});

test("unfence by hand opens a site only while its peer does not serve, and writes it down", async () => {
  const lines = pair.epoch(2, "a", "b", "switchover");
  await pair.holds("a", "fence", { value: "stop", ...lines });
  const opened = await pair.holds("a", "unfence", { value: "I-am-sure shop" });
  expect(opened.facts).toEqual({ role: "primary" });
  await pair.a.kill();
  const loss = lossOfA();
  epoch = 3;
  await failOver({ ...loss, epoch: "3" });
  const refused = await pair.verb("a", "unfence", { value: "I-am-sure shop" });
  expect([refused.code, refused.stderr]).toEqual([
    77,
    expect.stringMatching(/answers as a writable primary/),
  ]);
  expect(await pair.writers()).toBe(1);
});
