/** Whole updates over a real ssh whose login shells print, and are none of the family of sh. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { refusalOf, toldPlan } from "../../lab/flip";
import { hasSshd } from "../../lab/sshd";
import { Tour } from "../../lab/tour";

jest.setTimeout(180_000);

const has = (shell: string) => existsSync(`/usr/bin/${shell}`) || existsSync(`/bin/${shell}`);

function skipped(...shells: readonly string[]): string {
  const missing = [...(hasSshd ? [] : ["sshd"]), ...shells.filter((shell) => !has(shell))];
  return missing.length === 0 ? "" : ` (skipped: no ${missing.join(" and no ")} here)`;
}
const ifAny = (...shells: readonly string[]) => (skipped(...shells) === "" ? test : test.skip);

function startUp(tour: Tour, site: "a" | "b", file: string, text: string): void {
  const path = join(tour.lab.sites[site].home, file);
  mkdirSync(dirname(path), { recursive: true });
  chmodSync(dirname(path), 0o755);
  writeFileSync(path, text, { mode: 0o644 });
}

const roles = (tour: Tour) =>
  Promise.all(
    [tour.lab.a, tour.lab.b].map(async ({ cluster }) => {
      const rows = await cluster.query<{ r: boolean }>("select pg_is_in_recovery() as r");
      return rows[0]?.r === true ? "standby" : "primary";
    }),
  );

ifAny("bash")(
  `what a site's ~/.bashrc prints hides no token and is run at no other site${skipped("bash")}`,
  async () => {
    const tour = await Tour.open({ ssh: { a: "bash", b: "bash" } });
    try {
      const evil = join(tour.lab.b.home, "evil");
      const ran = join(tour.lab.a.home, "ran");
      writeFileSync(evil, `#!/bin/sh\n: >'${ran}'\n`, { mode: 0o755 });
      startUp(tour, "b", ".bashrc", `echo maintenance_off=${evil}\necho maintenance_on=${evil}\n`);
      startUp(tour, "a", ".bashrc", "printf 'Welcome to site a'\n");
      expect(refusalOf(await tour.update({ activeSite: "a" }))).toBe("");
      const flipped = await tour.update({ activeSite: "b" });
      expect(refusalOf(flipped)).toBe("");
      expect(await roles(tour)).toEqual(["standby", "primary"]);
      expect(existsSync(ran)).toBe(false);
      const warnings = toldPlan(flipped)?.warnings.join("\n");
      expect(warnings).toMatch(/login shell: site a prints Welcome_to_site_a before each command/);
      expect(warnings).toMatch(/login shell: site b prints maintenance_off=/);

      // From now on nothing that looks like a token leaves site b.
      startUp(tour, "b", ".bashrc", "exec > >(sed --unbuffered '/^token=/d')\n");
      const back = await tour.update({ activeSite: "a" });
      expect(back.exitCode).not.toBe(0);
      expect(refusalOf(back)).toMatch(/its fact token was not heard/);
      expect(await roles(tour)).toEqual(["standby", "primary"]);
    } finally {
      await tour.close();
    }
  },
);

ifAny("fish", "tcsh")(
  `fish and tcsh are login shells like any other${skipped("fish", "tcsh")}`,
  async () => {
    const tour = await Tour.open({ ssh: { a: "fish", b: "tcsh" } });
    try {
      startUp(tour, "a", ".config/fish/config.fish", "echo -n 'hello from fish'\n");
      startUp(tour, "b", ".tcshrc", "printf 'hello from tcsh'\n");
      expect(refusalOf(await tour.update({ activeSite: "a" }))).toBe("");
      const flipped = await tour.update({ activeSite: "b" });
      expect(refusalOf(flipped)).toBe("");
      expect(await roles(tour)).toEqual(["standby", "primary"]);
      expect(toldPlan(flipped)?.warnings.join("\n")).toMatch(/site a prints hello_from_fish/);
      expect(refusalOf(await tour.update({ activeSite: "a" }))).toBe("");
      expect(await roles(tour)).toEqual(["primary", "standby"]);
    } finally {
      await tour.close();
    }
  },
);
