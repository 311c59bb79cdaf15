// An update that never ends is ended: at its deadline, or when the program says that a DNS call is overdue.
import { spawn } from "node:child_process";
import { join } from "node:path";

const CLI = join(__dirname, "..", "..", "dist", "cli", "main.js");
const FOR_EVER = "setInterval(() => 0, 1000);";
const LISTENS = 'process.on("SIGINT", () => process.exit(3));';

/** In a process of its own: it is rung by signals, which must not reach the tests' own process. */
function run(text: string, ...flags: string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(
    process.execPath,
    [CLI, "up", ...flags, "--", process.execPath, "--eval", text],
    { stdio: ["ignore", "ignore", "pipe"], timeout: 40_000 },
  );
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, said })));
}

test("an update that ends by itself keeps its exit code, and nothing is said", async () => {
  expect(await run("process.exit(7)", "--deadline", "60")).toEqual({ code: 7, said: "" });
});

test("at the deadline it is asked to end, then 75 and the next act", async () => {
  const { code, said } = await run(`${LISTENS} ${FOR_EVER}`, "--deadline", "0.5");
  expect(code).toBe(75);
  expect(said).toContain("the update took more than 0.5 s");
  expect(said).toContain("HINT: run the same line again");
});

test("one that does not listen is killed", async () => {
  const deaf = `process.on("SIGINT", () => 0); ${FOR_EVER}`;
  expect((await run(deaf, "--deadline", "1", "--grace", "0.2")).code).toBe(75);
});

test("the program rings when a DNS call is overdue", async () => {
  const rings = 'process.kill(Number(process.env.STANDBY_UP_PID), "SIGUSR2");';
  const { code, said } = await run(`${LISTENS} ${rings} ${FOR_EVER}`);
  expect(code).toBe(75);
  expect(said).toContain("DNS pending");
});

test("a command that is not there is an error", async () => {
  const child = spawn(process.execPath, [CLI, "up", "--", "/nowhere/pulumi"], { stdio: "ignore" });
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
});
