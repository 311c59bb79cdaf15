import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Checkpoint, RunResult } from "../../lab/engine/engine";
import { findPostgres } from "../../lab/postgres/programs";
import { InputBench } from "./bench";

/**
 * A password full of what shells, SQL and ~/.pgpass find special, in verbs that fail while they hold it and whose programs
 * print all they were fed. It shows nowhere: not on the console, in a preview, in the stack's blinded export, in a log of
 * a site, nor in the arguments of any process. Nor does the witness key.
 */

// The mark is the part that no quoting changes.
const MARK = "Zk7LwQ93";
const PASSWORD = `x'y $(id) "${MARK}" \\:\`q\` ;*%&`;
const NO_SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

let bench: InputBench;
let keyBody = "";
const seen: string[] = [];
jest.setTimeout(90_000);

beforeAll(async () => {
  bench = await InputBench.open();
  keyBody = bench.lab.witnessKey.split("\n")[1] ?? "";
}, 60_000);
afterAll(() => bench.close(), 30_000);

/** The site's programs, with one of them replaced. */
function programsWith(site: "a" | "b", name: string, text: (real: string) => string): string {
  const { bindir, version } = findPostgres();
  const folder = join(bench.lab.dir, `${name}-${site}`, String(version), "bin");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const program of readdirSync(bindir)) {
    if (program !== name) symlinkSync(join(bindir, program), join(folder, program));
  }
  writeFileSync(join(folder, name), text(join(bindir, name)));
  chmodSync(join(folder, name), 0o755);
  return folder;
}

const tellsAll = (real: string) => `#!/bin/sh
case "$*" in *--command=*) exec '${real}' "$@" ;; esac
fed=$(cat)
case $fed in
*password*) printf '%s\\n' "ERROR: near:" "$fed" "$(cat "$PGPASSFILE")" >&2; exit 3 ;;
*) printf '%s\\n' "$fed" | exec '${real}' "$@" ;;
esac
`;
const failsLoudly = () => `#!/bin/sh
echo "pg_basebackup: $* failed" >&2
exit 1
`;

/** Arguments of all processes, again and again while something runs. */
async function watched<T>(work: () => Promise<T>): Promise<T> {
  let on = true;
  const sampling = (async () => {
    while (on) {
      for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
        seen.push(argumentsOf(pid));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    return await work();
  } finally {
    on = false;
    await sampling;
  }
}

function argumentsOf(pid: string): string {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return text.includes(MARK) || text.includes(keyBody) ? text : "";
  } catch {
    return ""; // it has ended
  }
}

/** Text of every log of a site. */
function logs(site: "a" | "b"): string {
  const { cluster } = bench.lab.sites[site];
  const folders = [cluster.dir, join(cluster.stateDirectory, "log")].filter(existsSync);
  return folders
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((file) => file.endsWith(".log"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}

/** What `pulumi stack export` shows: secrets without their text. */
function blinded({ deployment }: Checkpoint): string {
  return JSON.stringify(deployment, (_, value: unknown) => {
    const [key, sign] = Object.entries(NO_SECRET)[0] ?? ["", ""];
    const secret =
      typeof value === "object" &&
      value !== null &&
      (value as Record<string, unknown>)[key] === sign;
    return secret ? "[secret]" : value;
  });
}

const shown = (result: RunResult): string => result.stdout + JSON.stringify(result.diagnostics);

async function nothingShows(result: RunResult, says: RegExp): Promise<void> {
  expect(result.exitCode).not.toBe(0);
  expect(shown(result)).toMatch(says);
  const preview = await bench.engine.preview();
  const places = {
    console: shown(result),
    preview: shown(preview) + JSON.stringify(preview.digest),
    export: blinded(await bench.engine.exportStack()),
    "logs of a": logs("a"),
    "logs of b": logs("b"),
    "arguments of processes": seen.join("\n"),
  };
  const hits = Object.entries(places).filter(
    ([, text]) => text.includes(MARK) || text.includes(keyBody),
  );
  expect(hits.map(([place]) => place)).toEqual([]);
}

/** Gives the stack another password than the one that was drawn. */
async function plant(password: string): Promise<void> {
  const checkpoint = await bench.engine.exportStack();
  const resources = (checkpoint.deployment.resources ?? []).map((one) =>
    one.type.endsWith(":RandomPassword")
      ? {
          ...one,
          outputs: {
            ...one.outputs,
            result: { ...NO_SECRET, plaintext: JSON.stringify(password) },
          },
        }
      : one,
  );
  await bench.engine.importStack({
    ...checkpoint,
    deployment: { ...checkpoint.deployment, resources },
  });
}

test("prepare fails while its psql prints all it was fed: nothing shows", async () => {
  const put = { "sites.a.postgres.binDirectory": programsWith("a", "psql", tellsAll) };
  const first = await bench.up({ activeSite: "a" }, put);
  expect(first.exitCode).not.toBe(0);
  await plant(PASSWORD);
  const result = await watched(() => bench.up({ activeSite: "a" }, put));
  await nothingShows(
    result,
    /ERROR: near:[^]*\(line redacted: contains the password\)[^]*the role, the function or the slot could not be made/,
  );
});

test("seed fails with that password: nothing shows", async () => {
  const put = { "sites.b.postgres.binDirectory": programsWith("b", "pg_basebackup", failsLoudly) };
  const result = await watched(() => bench.up({ activeSite: "a" }, put));
  await nothingShows(result, /the copy from site a failed/);
});

test("the same password then works", async () => {
  const result = await watched(() => bench.up({ activeSite: "a" }));
  expect(shown(result)).not.toContain(MARK);
  expect(result.exitCode).toBe(0);
  expect(readFileSync(join(bench.lab.b.home, ".pgpass"), "utf8")).toContain(MARK);
  await expect(bench.streams()).resolves.toBeUndefined();
});
