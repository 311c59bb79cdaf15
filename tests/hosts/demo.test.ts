// `npm run demo -- --hosts`, whose program is stacks/example unchanged: what it ends with, and what it counted.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { room } from "../../lab/hosts/room";
import { runHere } from "../../lab/site";
import { ROOT } from "../house/tree";
import { describeHosts } from "./describeHosts";

jest.setTimeout(900_000);

describeHosts("the demo on hosts", () => {
  test("ends well: four transitions, nothing lost, never two writers", async () => {
    const file = join(room().folder, "demo.json");
    const demo = join(ROOT, "dist/lab/demo.js");
    const ran = await runHere([process.execPath, demo, "--hosts", "--json", file]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    const report = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect(report).toMatchObject({
      hosts: true,
      twoWriterSamples: 0,
      overlappingAcks: 0,
      secondUpdateChanges: 0,
      total: { missing: 0 },
      handedOver: { missing: 0 },
      transitions: ["switchover", "switchover", "failover", "switchover"].map((kind) => ({ kind })),
    });
  });
});
