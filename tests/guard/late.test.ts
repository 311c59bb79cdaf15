import { setTimeout as pause } from "node:timers/promises";
import { GUARD_TIMES, GuardedPair } from "../../lab/guarded";
import { signalProcess, until } from "../../lab/postgres/processes";

/** A poll waits for its answers; meanwhile a verb may end the very server that it is about. */

let pair: GuardedPair;
beforeAll(async () => (pair = await GuardedPair.open()), 60_000);
afterAll(() => pair.close(), 60_000);

/** Resolves soon after the guard has judged. */
async function nextPoll(): Promise<void> {
  const { at } = pair.live("a");
  await until("the guard of a has polled", 10_000, () => pair.live("a").at !== at);
}

test("a server that the fence verb ended during a poll is not fenced once more", async () => {
  const { epoch } = pair.announce("switchover");
  const lines = pair.lines();
  await until("a knows the witness", 10_000, () => pair.state("a", "obeyed") === String(epoch));
  // Its receiver goes on; only whoever asks it waits, as over a link that drops packets.
  const peer = pair.lab.b.cluster.pid() ?? 0;
  signalProcess(peer, "SIGSTOP");
  try {
    await nextPoll();
    await pause(GUARD_TIMES.poll + 100);
    await pair.verbs.holds("a", "postgres/fence", { value: "stop", ...lines });
    await nextPoll();
    await nextPoll();
  } finally {
    signalProcess(peer, "SIGCONT");
  }
  expect(pair.state("a", "maintenance")).toBe("");
}, 60_000);
