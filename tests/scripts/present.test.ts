// No permission, no answer and no file are three things: only the last is "absent", and a server that is not shown is not down.
import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { runHere } from "../../lab/site";
import { siteObserved } from "../../plan/observed";
import { scriptText } from "../../plan/scripts";
import { loadScripts } from "../../sites/scripts";
import { Pair } from "./harness";

jest.setTimeout(120_000);

let pair: Pair;
beforeAll(async () => (pair = await Pair.streaming()));
afterAll(() => pair.close());

const scripts = loadScripts();
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
const why = isRoot ? "" : " (skipped: root is needed to be another account)";

/** Runs a verb of site a as an account of one's own making; `before` is what starts its shell. */
async function verbAs(before: readonly string[], verb: string, input: Record<string, string> = {}) {
  const lines = Object.entries({ ...pair.settings("a"), ...input }).map(([k, v]) => `${k}=${v}\n`);
  const text = `${scriptText(scripts, "lib")}\n${scriptText(scripts, verb)}\nmain <<'INPUT'\n${lines.join("")}INPUT\n`;
  return runHere([...before, "sh", "-s"], text);
}

// What each does to site a's files, and what takes it back.
const broken: Readonly<Record<string, { unread: string; make: () => () => void }>> = {
  "a folder on the way is closed": {
    unread: "closed",
    make: () => {
      chmodSync(dirname(pair.a.dataDirectory), 0o000);
      return () => chmodSync(dirname(pair.a.dataDirectory), 0o700);
    },
  },
  "the data folder is closed": {
    unread: "closed",
    make: () => {
      chmodSync(pair.a.dataDirectory, 0o000);
      return () => chmodSync(pair.a.dataDirectory, 0o700);
    },
  },
  "PG_VERSION is closed": {
    unread: "closed",
    make: () => {
      chmodSync(join(pair.a.dataDirectory, "PG_VERSION"), 0o000);
      return () => chmodSync(join(pair.a.dataDirectory, "PG_VERSION"), 0o600);
    },
  },
  "the state folder is closed": {
    unread: "closed",
    make: () => {
      chmodSync(pair.a.stateDirectory, 0o000);
      return () => chmodSync(pair.a.stateDirectory, 0o700);
    },
  },
  "postmaster.pid is closed": {
    unread: "closed",
    make: () => {
      chmodSync(join(pair.a.dataDirectory, "postmaster.pid"), 0o000);
      return () => chmodSync(join(pair.a.dataDirectory, "postmaster.pid"), 0o600);
    },
  },
  "PG_VERSION is gone": {
    unread: "damaged",
    make: () => {
      const file = join(pair.a.dataDirectory, "PG_VERSION");
      renameSync(file, `${file}.away`);
      return () => renameSync(`${file}.away`, file);
    },
  },
  "PG_VERSION holds nonsense": {
    unread: "damaged",
    make: () => {
      const file = join(pair.a.dataDirectory, "PG_VERSION");
      renameSync(file, `${file}.away`);
      copyFileSync("/etc/hostname", file);
      return () => renameSync(`${file}.away`, file);
    },
  },
};

describe.each(Object.entries(broken))("%s:", (_, { unread, make }) => {
  let undo = () => {};
  beforeAll(() => (undo = make()));
  afterAll(() => {
    undo();
  });

  test("observed as unreadable, which the plan takes for neither absent nor down", async () => {
    const { facts } = await pair.verb("a", "observe");
    expect(facts).toMatchObject({ role: "unreadable", unread });
    expect(facts["unread_path"]).toContain(pair.folder);
    const lines = Object.entries(facts).map(([key, value]) => `${key}=${value}`);
    expect(siteObserved(lines.join("\n"))).toMatchObject({ reach: "unreadable" });
  });

  test.each([
    ["fence", { value: "dead", from: "a", to: "b", kind: "failover" }],
    ["prepare", { value: "x" }],
    ["seed", {}],
    ["delta", { value: "export" }],
    ["rejoin", { value: "join" }],
  ])("%s refuses, and gives no fact", async (verb, input) => {
    const outcome = await pair.verb("a", verb, {
      ...pair.epoch(9, "a", "b", "failover"),
      ...input,
    });
    // The two that ask the peer first are told by it that it is no primary.
    expect(outcome.code === 77 || /site b is not a primary/.test(outcome.stderr)).toBe(true);
    expect(outcome.facts).toEqual({});
    expect(outcome.stderr).toMatch(/\nHINT: /);
    expect(existsSync(join(pair.a.dataDirectory, "standby.signal"))).toBe(false);
  });
});

test("a data folder that is a link to nothing is broken; one that is not there is absent", async () => {
  const data = join(pair.folder, "a", "link");
  symlinkSync(join(pair.folder, "nowhere"), data);
  expect((await pair.verb("a", "observe", { data })).facts).toMatchObject({
    role: "unreadable",
    unread: "broken",
    unread_path: data,
  });
  rmSync(data);
  expect((await pair.verb("a", "observe", { data })).facts["role"]).toBe("absent");
});

const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
asRoot(`an account that may read the files but is not their owner cannot tell${why}`, async () => {
  const folders = [
    pair.folder,
    join(pair.folder, "a"),
    pair.a.dataDirectory,
    pair.a.stateDirectory,
  ];
  for (const folder of folders) chmodSync(folder, 0o755);
  try {
    const seen = await verbAs(nobody, "postgres/observe");
    expect(seen.stdout).toMatch(/^role=unreadable\nunread=account\n/m);
    expect(siteObserved(seen.stdout)).toMatchObject({
      reach: "unreadable",
      why: expect.stringMatching(/^account nobody is neither root nor \w+, to whom \//) as string,
    });
  } finally {
    for (const folder of folders.slice(1)) chmodSync(folder, 0o700);
  }
});

const without = (...caps: readonly string[]) => {
  const list = caps.map((cap) => `-${cap}`).join(",");
  return ["setpriv", `--bounding-set=${list}`, `--inh-caps=${list}`, "--"];
};
const fence = { from: "a", to: "b", kind: "failover", value: "dead", epoch: "9" };

asRoot(
  `root that may not look at other accounts' processes asks as their owner${why}`,
  async () => {
    const seen = await verbAs(without("sys_ptrace"), "postgres/observe");
    expect(seen.stdout).toMatch(/^role=primary$/m);
  },
);

asRoot(`where /proc hides the server, it is neither down nor fenced${why}`, async () => {
  const blind = without("sys_ptrace", "setuid", "setgid");
  const seen = await verbAs(blind, "postgres/observe");
  expect(seen.stdout).toMatch(/^role=unreadable\nunread=hidden\n/m);
  const fenced = await verbAs(blind, "postgres/fence", { ...fence, run: "90-test" });
  expect({ code: fenced.exitCode, said: fenced.stdout }).toEqual({ code: 77, said: "" });
  expect(fenced.stderr).toMatch(/cannot see whether it runs/);
  await pair.a.query("create table still_writes (n int)");
});
