// Some cells of the fault matrix on hosts of their own; all of those that run there: npm run faults -- --hosts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { room } from "../../lab/hosts/room";
import { runHere } from "../../lab/site";
import { isControl } from "../faults/figures";
import type { CellResult } from "../faults/runCell";
import { ROOT } from "../house/tree";
import { describeHosts } from "./describeHosts";

jest.setTimeout(420_000);

// Each kind of fault once: power, the way between the sites, a runner, a verb, a lost host and its return; and a breakage.
const QUICK = [
  "switchover/drain/b-reboot",
  "switchover/fence/a-reboot",
  "switchover/fence/runner-killed-during",
  "switchover/promote/verb-killed-at-permit-consumed",
  "switchover/rejoin/a-b-link-cut",
  "failover/promote/host-lost-b-reboot",
  "failover/rejoin/returns-with-writes-of-its-own-under-load",
  "control/promote-before-fence",
];

describeHosts("cells on hosts", () => {
  let results: readonly CellResult[];
  beforeAll(async () => {
    const file = join(room().folder, "cells.json");
    const program = join(ROOT, "dist/tests/faults/main.js");
    const options = ["--hosts", "--cell", QUICK.join(","), "--json", file];
    const { stderr } = await runHere([process.execPath, program, ...options]);
    expect(stderr).toBe("");
    ({ results } = JSON.parse(readFileSync(file, "utf8")) as { results: CellResult[] });
  });

  const of = (id: string) => results.find((result) => result.id === id);

  test.each(QUICK.filter((id) => !isControl(id)))("%s", (id) => {
    expect(of(id)).toMatchObject({ red: [] });
  });

  test.each(QUICK.filter(isControl))("%s is caught", (id) => {
    expect(of(id)).toMatchObject({ caught: true });
  });
});
