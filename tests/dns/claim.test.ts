// Two runners that share no site open the same epoch: at most one goes on, at every point where one of them may pause.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startCloudflareLab, type CloudflareLab } from "../../lab/cloudflare";
import { claimEpoch, claimTarget, newestAnnounced, type Claim } from "../../sites/claim";

const ZONE = "shop.test";
let lab: CloudflareLab;
beforeEach(async () => {
  lab = await startCloudflareLab({ zones: [{ name: ZONE }] });
});
afterEach(() => lab.close());

const zoneId = () => lab.zones[0]?.id ?? "";
const wish = (id: string, epoch = 2) => ({ zone: ZONE, zoneId: zoneId(), pair: "shop", epoch, id });
const access = () => ({ base: lab.apiUrl, token: lab.token });
const claims = () =>
  lab
    .records(ZONE)
    .map(({ name, content }) => `${name} ${content}`)
    .sort();

/** A way to the API that lets one call through whenever it is told to. */
class Turnstile {
  readonly #waiting: (() => void)[] = [];
  #credit = 0;
  private constructor(
    readonly server: Server,
    readonly base: string,
  ) {}

  static async open(target: string): Promise<Turnstile> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        void gate.#turn().then(async () => {
          const { method = "GET", headers, url = "" } = request;
          const body = method === "GET" ? undefined : Buffer.concat(chunks);
          const answer = await fetch(target + url, {
            method,
            headers: { authorization: headers.authorization ?? "" },
            ...(body === undefined ? {} : { body }),
          });
          response.writeHead(answer.status, { "content-type": "application/json" });
          response.end(await answer.text());
          gate.through += 1;
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const gate: Turnstile = new Turnstile(server, `http://127.0.0.1:${port}`);
    return gate;
  }
  through = 0;

  #turn(): Promise<void> {
    if (this.#credit > 0) {
      this.#credit -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets the next call pass and waits until it is answered, or until the runner has nothing more to ask. */
  async step(ended: () => boolean): Promise<void> {
    const before = this.through;
    const next = this.#waiting.shift();
    if (next === undefined) this.#credit += 1;
    else next();
    while (this.through === before && !ended())
      await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** All orders of x's and y's calls. */
function orders(x: number, y: number): readonly string[] {
  if (x === 0) return ["y".repeat(y)];
  if (y === 0) return ["x".repeat(x)];
  return [...orders(x - 1, y).map((one) => `x${one}`), ...orders(x, y - 1).map((one) => `y${one}`)];
}

// Post, list, and the delete of one old claim by whoever won.
const CALLS = 3;

test.each(orders(CALLS, CALLS))(
  "calls in the order %s: exactly one has the epoch",
  async (order) => {
    await claimEpoch(access(), wish("old", 1));
    const runners = await Promise.all(
      ["x", "y"].map(async (id) => {
        const gate = await Turnstile.open(lab.apiUrl);
        const run: { claim?: Claim } = {};
        const ended = claimEpoch({ ...access(), base: gate.base }, wish(id)).then((claim) => {
          run.claim = claim;
        });
        return { id, gate, run, ended };
      }),
    );
    for (const letter of order) {
      const runner = runners.find((one) => one.id === letter);
      if (runner?.run.claim === undefined)
        await runner?.gate.step(() => runner.run.claim !== undefined);
    }
    await Promise.all(runners.map(({ ended }) => ended));
    runners.forEach(({ gate }) => gate.close());
    const states = runners.map(({ run }) => run.claim?.state).sort();
    expect(states).toEqual(["ours", "taken"]);
    const winner = runners.find(({ run }) => run.claim?.state === "ours")?.id ?? "";
    expect(claims()).toEqual([
      `e2._standby.${ZONE} ${claimTarget({ id: winner, pair: "shop", zone: ZONE })}`,
    ]);
  },
);

test("an answer that is lost after the commit, and the retry that follows, leave the claim with its maker", async () => {
  lab.faults.add({ method: "POST", times: 1, act: { kind: "commitThenDrop" } });
  expect(await claimEpoch(access(), wish("x"))).toEqual({ state: "ours", removed: 0 });
  expect(await claimEpoch(access(), wish("x"))).toEqual({ state: "ours", removed: 0 });
  expect(await claimEpoch(access(), wish("y"))).toMatchObject({
    state: "taken",
    by: claimTarget({ id: "x", pair: "shop", zone: ZONE }),
  });
  expect(claims()).toHaveLength(1);
});

test.each([
  { kind: "dropBeforeCommit" },
  { kind: "answer", status: 500, code: 10000 },
  { kind: "answer", status: 429, code: 971 },
  { kind: "lie" },
] as const)("a POST that did nothing (%j) is no claim, whatever it answered", async (act) => {
  lab.faults.add({ method: "POST", times: 1, act });
  expect((await claimEpoch(access(), wish("x"))).state).toBe("silent");
  expect(claims()).toEqual([]);
});

test("an API that hangs ends the claim within its bound, as silence", async () => {
  lab.faults.add({ act: { kind: "hang" } });
  const claim = await claimEpoch({ ...access(), timeoutMs: 50 }, wish("x"));
  expect(claim).toMatchObject({ state: "silent", why: expect.stringContaining("did not answer") });
});

test("a runner that slept through an epoch is late, by a claim or by a witness, and old claims go", async () => {
  await claimEpoch(access(), wish("x", 2));
  expect(await claimEpoch(access(), wish("x", 3))).toEqual({ state: "ours", removed: 1 });
  expect(await claimEpoch(access(), wish("y", 2))).toMatchObject({ state: "late", epoch: 3 });
  // What the late one left is taken away by the next.
  expect(await claimEpoch(access(), wish("x", 4))).toEqual({ state: "ours", removed: 2 });
  const content = '"v=1 epoch=9 from=a to=b kind=failover key=0123abcd sig=x"';
  lab.setRecord(ZONE, { name: `_standby-shop.${ZONE}`, type: "TXT", content, ttl: 60 });
  expect(await newestAnnounced(access(), zoneId(), ZONE)).toMatchObject({ epoch: 9 });
  expect(await claimEpoch(access(), wish("x", 5))).toMatchObject({ state: "late", epoch: 9 });
});

test("a stale list gives the epoch to nobody until it shows who has it", async () => {
  lab.knobs.listLagMs = 60_000;
  expect((await claimEpoch(access(), wish("x"))).state).toBe("silent");
  expect((await claimEpoch(access(), wish("y"))).state).toBe("silent");
  lab.knobs.listLagMs = 0;
  expect((await claimEpoch(access(), wish("y"))).state).toBe("taken");
  expect((await claimEpoch(access(), wish("x"))).state).toBe("ours");
});

test("names of others below the same word are left alone", async () => {
  const other = { type: "CNAME", content: "x.test", ttl: 60 };
  lab.setRecord(ZONE, { ...other, name: `e1._standby.else.${ZONE}` });
  lab.setRecord(ZONE, { ...other, name: `ex._standby.${ZONE}` });
  lab.setRecord(ZONE, { name: `e1._standby.${ZONE}`, type: "TXT", content: "mine", ttl: 60 });
  expect(await claimEpoch(access(), wish("x"))).toEqual({ state: "ours", removed: 0 });
  expect(claims()).toHaveLength(4);
});
