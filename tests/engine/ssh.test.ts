/** The whole program with a real ssh between it and the sites. */
import { refusalOf, toldPlan } from "../../lab/flip";
import { hasSshd } from "../../lab/sshd";
import { Tour } from "../../lab/tour";

jest.setTimeout(120_000);
const withSshd = hasSshd ? test : test.skip;

withSshd(
  `over ssh: made, flipped, and a way that is gone is named${hasSshd ? "" : " (skipped: no sshd here)"}`,
  async () => {
    const tour = await Tour.open({ ssh: true });
    try {
      const made = await tour.update({ activeSite: "a" });
      expect(refusalOf(made)).toBe("");
      const flipped = await tour.update({ activeSite: "b" });
      expect(refusalOf(flipped)).toBe("");
      expect(toldPlan(flipped)).toMatchObject({ transition: "switchover", to: "b" });
      expect(new Set(Object.values(await tour.answers()))).toEqual(new Set(["b"]));
      const quiet = await tour.update({});
      expect(quiet.exitCode).toBe(0);
      expect(quiet.summary).toEqual({ same: flipped.steps.length });

      tour.lab.a.sshServer?.stop();
      const back = await tour.update({ activeSite: "a" });
      expect(back.exitCode).not.toBe(0);
      expect(refusalOf(back)).toMatch(/site a was not reached \(ssh: connect to host .* refused\)/);
      expect(new Set(Object.values(await tour.answers()))).toEqual(new Set(["b"]));
    } finally {
      await tour.close();
    }
  },
);
