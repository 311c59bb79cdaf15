import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Cluster, temporaryFolder } from "../../lab/postgres/cluster";
import { freePort } from "../../lab/postgres/ports";
import { processesIn } from "../../lab/postgres/processes";

jest.setTimeout(60_000);

let folder: string;
let cluster: Cluster;

beforeAll(async () => {
  folder = temporaryFolder("sb-");
  const port = await freePort(["127.0.0.2", "127.0.0.3"]);
  const dir = join(folder, "a");
  cluster = await Cluster.create({ dir, site: "a", host: "127.0.0.2", port });
  await cluster.start();
});

afterAll(async () => {
  await cluster.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Segments of System V memory that this process made. */
function segmentsOf(pid: number | undefined): number {
  const lines = readFileSync("/proc/sysvipc/shm", "utf8").split("\n");
  return lines.filter((line) => line.trim().split(/\s+/)[4] === String(pid)).length;
}

test("a created cluster takes writes and says so in its control file", async () => {
  await cluster.query("create table t(n int)");
  await cluster.query("insert into t values ($1)", [7]);
  expect(await cluster.query("select n from t")).toEqual([{ n: 7 }]);
  expect((await cluster.controlData()).get("Database cluster state")).toBe("in production");
});

test("a stop ends every process and leaves `shut down`", async () => {
  await cluster.stop("fast");
  expect(processesIn(cluster.dataDirectory)).toEqual([]);
  expect(cluster.pid()).toBeUndefined();
  expect((await cluster.controlData()).get("Database cluster state")).toBe("shut down");
});

test("a killed cluster is dead at once and starts again with its rows", async () => {
  await cluster.start();
  const pid = cluster.pid();
  expect(segmentsOf(pid)).toBe(1);
  await cluster.kill();
  expect(segmentsOf(pid)).toBe(0);
  expect((await cluster.controlData()).get("Database cluster state")).toBe("in production");
  await cluster.start();
  expect(await cluster.query("select n from t")).toEqual([{ n: 7 }]);
});
