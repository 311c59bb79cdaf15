// One call to the DNS API never answers, in the middle of an update: the update ends all the same, and the next one finishes.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Tour } from "../../lab/tour";
import { changes, up, writableSites } from "./pair";

jest.setTimeout(300_000);
let tour: Tour;
beforeAll(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

const pivot = () =>
  tour.lab.cloudflare.records(tour.lab.zone).find((one) => one.name === `active.${tour.lab.zone}`)
    ?.content;
const root = join(__dirname, "..", "..");

/** `standby up` in a process of its own, around an engine whose client waits for ever, as the real one does. */
function ended(): Promise<{ code: number | null; said: string }> {
  const child = spawn(
    process.execPath,
    [
      ...[join(root, "dist/cli/main.js"), "up", "--grace", "5", "--"],
      ...[process.execPath, join(__dirname, "upProcess.js"), tour.lab.dir],
    ],
    { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, LAB_HTTP_DEADLINE: "3600" } },
  );
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, said })));
}

test("a PUT of the pivot that hangs rings, the update ends with 75, and the next one is the rest", async () => {
  await tour.engine.setConfig("activeSite", "b");
  const act = { kind: "hang" } as const;
  const silence = tour.lab.cloudflare.faults.add({ method: "PUT", body: "site-b", act });
  const { code, said } = await ended();
  expect(code).toBe(75);
  expect(said).toContain("DNS pending");
  expect(said).toContain("run the same line again");
  expect(silence.hits).toBe(1);
  // It serves by its address, and no name leads there yet.
  expect(await writableSites(tour)).toEqual(["b"]);
  expect(pivot()).toBe(`site-a.${tour.lab.zone}`);

  silence.remove();
  await up(tour, {});
  expect(pivot()).toBe(`site-b.${tour.lab.zone}`);
  expect(changes(await up(tour, {}))).toBe(0);
});
