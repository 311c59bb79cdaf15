// The room around the hosts ends with whoever made it, however that ends.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { until } from "../../lab/postgres/processes";
import { room } from "../../lab/hosts/room";
import { runHere } from "../../lab/site";
import { ROOT } from "../house/tree";
import { describeHosts } from "./describeHosts";

const PROGRAM = 'echo "$STANDBY_ROOM"; exec sleep 4711';
const MAKER = `
const { runInRoom } = require(${JSON.stringify(join(ROOT, "lab/setup/room.js"))});
void runInRoom(process.env.STANDBY_HOSTS_TREE, "sh", ["-c", ${JSON.stringify(PROGRAM)}])
  .then((code) => { process.exitCode = code; });`;

async function opened(): Promise<{ pid: number; folder: string; ended: Promise<unknown> }> {
  const maker = spawn(process.execPath, ["-e", MAKER], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => maker.once("exit", resolve));
  const folder = await new Promise<string>((resolve) => {
    maker.stdout.once("data", (text: Buffer) => {
      resolve(text.toString().trim());
    });
  });
  return { pid: maker.pid ?? 0, folder, ended };
}

async function left(folder: string): Promise<readonly string[]> {
  const groups = readdirSync(dirname(room().cgroup)).map((name) => join("/", name));
  const { stdout } = await runHere(["sh", "-c", "ps -eo args= | grep '^sleep 471[1]' || :"]);
  return [
    ...(existsSync(folder) ? [folder] : []),
    ...groups.filter((name) => folder.endsWith(name)),
    ...(stdout === "" ? [] : [stdout]),
  ];
}

describeHosts("a room", () => {
  test.each(["SIGKILL", "SIGTERM"] as const)("leaves nothing after %s", async (signal) => {
    const { pid, folder, ended } = await opened();
    expect(await left(folder)).toHaveLength(3);
    process.kill(pid, signal);
    await ended;
    await until("nothing is left", 10_000, async () => (await left(folder)).length === 0);
  });
});
