// `standby unlock`: a dead process of this host loses its lock, nobody else does.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { unlock } from "../../cli/unlock";

let state: string;
let said: string[];
const talk = {
  say: (text: string) => void said.push(text),
  complain: (what: string, hint: string) => void said.push(`${what}\nHINT: ${hint}`),
};
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "unlock-"));
  said = [];
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

function lock(base: string, content: unknown, stack = "prod"): string {
  const folder = join(state, base, "locks", "organization", "shop", stack);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${String(Math.random()).slice(2)}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}
const deadPid = (): number => spawnSync("true").pid;
const holder = (pid: number, host = hostname()) => ({
  pid,
  host,
  user: "ann",
  time: "2026-11-22T03:00:00Z",
});
const run = (folder = state) => unlock({ state: folder, project: "shop", stack: "prod" }, talk);

test.each([
  ["of the CLI", ".pulumi"],
  ["of the lab engine", ""],
])("the lock %s of a dead process of this host is broken", (_, base) => {
  const pid = deadPid();
  const file = lock(base, holder(pid));
  expect(run()).toBe(0);
  expect(existsSync(file)).toBe(false);
  expect(said).toEqual([expect.stringContaining(`ann@${hostname()} (pid ${pid})`)]);
});

test("a living process keeps its lock, and is named", () => {
  const file = lock(".pulumi", holder(process.pid));
  expect(run()).toBe(75);
  expect(existsSync(file)).toBe(true);
  expect(said[0]).toContain(`ann@${hostname()} (pid ${process.pid})`);
  expect(said[0]).toContain("HINT: ");
});

test("a zombie counts as dead", async () => {
  // A shell that does not wait for its child leaves a zombie for as long as it lives.
  const parent = spawn("sh", ["-c", "true & echo $!; exec sleep 30"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
    );
    const file = lock(".pulumi", holder(pid));
    for (let tries = 0; tries < 100 && run() !== 0; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(existsSync(file)).toBe(false);
  } finally {
    parent.kill("SIGKILL");
  }
});

test("a lock of another host stays, though no such process runs here", () => {
  const file = lock(".pulumi", holder(deadPid(), "runner-2"));
  expect(run()).toBe(75);
  expect(existsSync(file)).toBe(true);
  expect(said[0]).toContain("ann@runner-2");
  expect(said[0]).toContain("standby unlock on runner-2");
});

test("what is no lock stays; other stacks are not touched; the rest is broken", () => {
  const torn = lock(".pulumi", '{"pid": 12');
  const dead = lock(".pulumi", holder(deadPid()));
  const other = lock(".pulumi", holder(deadPid()), "staging");
  expect(run(`file://${state}`)).toBe(75);
  expect([torn, dead, other].map((file) => existsSync(file))).toEqual([true, false, true]);
  expect(said.join("\n")).toContain("not a lock that can be read");
});

test("no lock: said so, 0", () => {
  expect(run()).toBe(0);
  expect(said).toEqual(["stack prod of shop is not locked"]);
});

test("a folder that is not there is an error, not a free stack", () => {
  expect(() => run(join(state, "typo"))).toThrow("no such folder");
});
