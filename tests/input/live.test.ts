import { join } from "node:path";
import type { RunResult } from "../../lab/engine/engine";
import { hasSshd, startSshd } from "../../lab/sshd";
import { InputBench } from "./bench";
import { LIVE, strange } from "./live";
import type { LiveCase } from "./liveCase";
import type { Undo } from "./surroundings";

/**
 * A running pair whose surroundings are broken, one way at a time. Whoever then asks for a flip gets one refusal that
 * says everything; nothing is written, neither at a site nor in the zone nor in the stack.
 */

let bench: InputBench;
let token = "";
jest.setTimeout(60_000);

beforeAll(async () => {
  bench = await InputBench.open();
  token = (await bench.engine.getConfig("cloudflare:apiToken")) ?? "";
  await bench.sql("a", "alter system set archive_mode = 'always'");
  await bench.sql("a", "alter system set archive_command = 'true # a'");
  await bench.lab.a.cluster.stop();
  await bench.lab.a.cluster.start();
  const made = await bench.up({ activeSite: "a" });
  if (made.exitCode !== 0) throw new Error(made.stdout);
  await bench.set("b", "archive_command", "true # b");
}, 120_000);

afterAll(() => bench.close(), 30_000);

// What the engine adds of its own, whatever the program said.
const SUMMARY =
  /^(update failed|an unhandled error occurred: Program exited with non-zero exit code: [0-9]+)$/;

const errors = (result: RunResult): readonly string[] =>
  result.diagnostics
    .filter((one) => one.severity === "error")
    .map((one) => one.message.trim())
    .filter((message) => !SUMMARY.test(message));

async function refused(one: LiveCase, put: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const undo = await one.arrange?.(bench);
  try {
    const before = await bench.snapshot();
    const result = await bench.up(
      { activeSite: "b", ...one.config },
      { ...put, ...one.put?.(bench) },
    );
    const after = await bench.snapshot();
    const found = errors(result);
    expect(result.exitCode).not.toBe(0);
    const text = found.join("\n");
    for (const each of one.says) expect(text).toMatch(each);
    expect(text).toContain("HINT: ");
    if (one.byStep === true) expect(after).toEqual({ ...before, stack: after.stack });
    else {
      expect(found).toHaveLength(1);
      expect(after).toEqual(before);
    }
  } finally {
    await undo?.();
    await bench.configure({
      "cloudflare:apiToken": token,
      acceptLoss: "",
      acceptUnproven: "",
      approvedPlan: "",
    });
  }
}

test.each(LIVE.map((one) => [one.name, one] as const))(
  "%s: refused, nothing is changed",
  async (_, one) => {
    await refused(one);
  },
);

test("a standby of another database: refused, nothing is changed", async () => {
  const { put, undo } = await strange(bench);
  await refused(
    {
      name: "",
      arrange: () => undo,
      says: [
        /site b: system identifier [0-9]+ is not site a's [0-9]+/,
        "move the data directory of site b aside",
      ],
    },
    put,
  );
});

const withSshd = hasSshd ? test : test.skip;
withSshd(
  `a host key that is not the pinned one: refused, nothing is changed${hasSshd ? "" : " (skipped: no sshd here)"}`,
  async () => {
    const { host, wrap } = bench.lab.b;
    const { access, stop } = await startSshd(join(bench.lab.dir, "sshd"), host, wrap);
    const other =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1p4mP1sRkqVQ3Xo0O8yY4m8p8yq1h3dC6pQ0m5Zr5V";
    await refused(
      {
        name: "",
        arrange: (): Undo => stop,
        says: [
          /site b was not reached \(.*(REMOTE HOST IDENTIFICATION|Host key verification failed)/,
        ],
      },
      { "sites.b.transport": { ssh: { ...access, hostKeys: [other] } } },
    );
  },
);

test("outputs that a preview cannot know do not make it wait", async () => {
  await bench.configure({ activeSite: "b" }, { witnessKey: { password: true } });
  const key = await bench.engine.preview();
  expect(errors(key).join("\n")).toContain(
    "witnessKey: not known in this preview; take it from secret config",
  );
  await bench.configure({ activeSite: "b" }, { "dns.cloudflare.zones.0.zoneId": { zone: true } });
  const zone = await bench.engine.preview();
  expect(errors(zone)).toEqual([]);
  expect(zone.stdout).toContain("switchover");
});

test("with everything mended the flip goes through", async () => {
  const result = await bench.up({ activeSite: "b" });
  expect(errors(result)).toEqual([]);
  expect(result.exitCode).toBe(0);
});
