import { readFileSync, rmSync } from "node:fs";
import { fakePrograms, leave, Pair, password, stateOf, type Input } from "./harness";

jest.setTimeout(120_000);

/** One pair in epoch 2, fenced at a and not promoted at b: the moment at which a wrong step makes two writers. */
let pair: Pair;
let lines: Record<string, string>;
let token: string;

beforeAll(async () => {
  pair = await Pair.streaming();
  lines = pair.epoch(2, "a", "b", "switchover");
  token = (await pair.holds("a", "fence", { value: "stop", ...lines })).facts["token"] ?? "";
  // Site b learns of the epoch and the run, as drain lets it.
  await pair.verb("b", "verify", { ...lines, token: "-" });
});
afterAll(() => pair.close());

/** Each refusal has two lines, changes nothing that is stored, and leaves no writer behind. */
async function refuses(site: "a" | "b", verb: string, input: Input, text: RegExp): Promise<void> {
  const before = stateOf(pair.site(site));
  const outcome = await pair.verb(site, verb, input);
  expect(outcome.stderr).toMatch(text);
  expect(outcome.stderr).toMatch(new RegExp(`^site ${site}: .*\\nHINT: .+\\n$`));
  expect(outcome.code).toBe(77);
  expect(stateOf(pair.site(site))).toEqual(before);
  expect(await pair.writers()).toBe(0);
}

function forged(field: number, text: string): string {
  return token
    .split(",")
    .map((old, index) => (index === field ? text : old))
    .join(",");
}

test("fence leaves nobody who can write, and the control file says `shut down`", async () => {
  expect(await pair.writers()).toBe(0);
  expect((await pair.a.controlData()).get("Database cluster state")).toBe("shut down");
  expect(token).toContain(`,2,${lines["run"]}`);
});

test.each<[string, () => string, RegExp]>([
  ["no token", () => "-", /no token/],
  ["an empty token", () => "", /no token/],
  [
    "another system's token",
    () => forged(1, "7000000000000000001"),
    /is of system 7000000000000000001/,
  ],
  ["an END before the standby's position", () => forged(4, "0/3000000"), /past the token's end/],
  ["another shutdown record", () => forged(5, "0".repeat(64)), /last record .* differs/],
  ["another WAL tail", () => forged(7, "0".repeat(64)), /the WAL from .* differs/],
  ["an older epoch's token", () => forged(8, "1"), /of epoch 1/],
  ["another run's token", () => forged(9, "1-other"), /run 1-other/],
  ["a token with shell in it", () => forged(4, "0/1;$(touch /tmp/x)"), /damaged/],
])("verify refuses %s", async (_name, forge, text) => {
  await refuses("b", "verify", { value: "token", ...lines, token: forge() }, text);
});

test("verify waits for what was not replayed and says how much is missing", async () => {
  const end = "0/F000000";
  const outcome = await pair.verb("b", "verify", { ...lines, token: forged(4, end) });
  expect(outcome.code).toBe(75);
  expect(outcome.stderr).toMatch(/bytes short of the token's end 0\/F000000/);
});

test("verify refuses while replay is paused, and goes on afterwards", async () => {
  await pair.b.query("select pg_wal_replay_pause()");
  await refuses("b", "verify", { ...lines, token }, /replay is paused/);
  await pair.b.query("select pg_wal_replay_resume()");
});

test("a failover is refused until the loss is accepted for this very epoch", async () => {
  const input = { ...lines, value: "accepted" };
  await refuses(
    "b",
    "verify",
    { ...input, accept_loss: "" },
    /accepted for epoch 'none', not for 2/,
  );
  await refuses("b", "verify", { ...input, accept_loss: "1" }, /accepted for epoch '1', not for 2/);
});

test.each<[string, Input, RegExp]>([
  ["an older epoch", { epoch: 1 }, /epoch 1 is older than epoch 2/],
  ["the same epoch with another meaning", { to: "a", from: "b" }, /epoch 2 is recorded here as/],
  ["an older run", { run: "1-test" }, /run 1-test is older/],
  ["a rival run with the same number", { run: "2-rival" }, /has a rival/],
])("every writing verb refuses %s", async (_name, change, text) => {
  await refuses("a", "fence", { value: "stop", ...lines, ...change }, text);
});

test("promote refuses without a permit", async () => {
  await refuses("b", "promote", { value: "permit", ...lines }, /no permit/);
});

test.each<[string, (fields: string[]) => string[], RegExp]>([
  ["of another epoch", ([v = "", , ...rest]) => [v, "1", ...rest], /of epoch 1/],
  ["of another run", ([v = "", e = "", , ...rest]) => [v, e, "1-other", ...rest], /run 1-other/],
  ["of another boot", (f) => f.map((x, i) => (i === 3 ? "00000000-0000" : x)), /expired/],
  ["that has run out", (f) => f.map((x, i) => (i === 4 ? "1" : x)), /expired/],
])("promote refuses a permit %s", async (_name, change, text) => {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const permit = ["v1", "2", lines["run"] ?? "", boot, "999999999", "1"];
  leave(pair.b, "permit", change(permit).join(","));
  await refuses("b", "promote", { value: "permit", ...lines }, text);
  rmSync(`${pair.b.stateDirectory}/permit`);
});

test("fenced holds for this run's token only", async () => {
  await pair.holds("a", "fenced", { ...lines, token });
  await refuses("a", "fenced", { ...lines, token: forged(9, "1-other") }, /token kept here/);
  await refuses("a", "fenced", { ...lines, token: "-" }, /no token/);
});

test("a value with a control character is refused before anything is done", async () => {
  await refuses("a", "fence", { ...lines, value: "stop\tnow" }, /control character/);
});

test("a verb that finds the lock taken waits for its bound, then asks to be run later", async () => {
  const slow = fakePrograms(pair, { psql: 'sleep 4; exec "$real" "$@"' });
  const first = pair.verb("b", "verify", { ...lines, token: forged(1, "1"), bindir: slow });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const second = await pair.verb("b", "verify", { ...lines, token, lock_wait: 1 });
  expect(second).toMatchObject({ code: 75 });
  expect(second.stderr).toMatch(/holds the lock/);
  expect((await first).code).toBe(77);
});

test("unfence needs its exact words", async () => {
  await refuses("a", "unfence", { value: "yes" }, /not confirmed/);
  await refuses("a", "unfence", { value: "I-am-sure other" }, /not confirmed/);
});

test("seed refuses a site that holds a database", async () => {
  rmSync(`${pair.a.dataDirectory}/standby.signal`);
  await refuses("a", "seed", { ...lines, password }, /holds a database already/);
});

test("a fence whose signal somebody removed is not a fence, and is made again", async () => {
  await refuses("a", "fenced", { ...lines, token }, /standby.signal is gone/);
  await pair.holds("a", "fence", { value: "stop", ...lines });
  await pair.holds("a", "fenced", { ...lines, token });
});
