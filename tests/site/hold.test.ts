import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BootingSite, hashOf, held, ours, wal } from "./booting";

/** Whose the signal is, and what a site may not be opened on. */

let site: BootingSite;
beforeEach(() => {
  site = new BootingSite();
});
afterEach(() => site.remove());

describe("never a primary on less than what its peer holds: it starts as a standby when", () => {
  const says = async (more: string) => {
    const { facts } = await site.boot([ours, ours], `standby 4 a ${more}`);
    expect({ role: facts["role"], signal: site.signalLies }).toEqual({
      role: "standby",
      signal: true,
    });
    return (facts["reason"] ?? "").replaceAll("_", " ");
  };
  const hash = hashOf(wal.subarray(8, 0x2008));

  test("the peer has more", async () => {
    const reason = await says(`- 0 1 0/2008 whole ${hash}`);
    expect(reason).toMatch(/this disk is older.* ends at 0.2000.* 8 bytes more, up to 0.2008.* b$/);
  });
  test("the peer may have more, for it has not replayed all", async () => {
    expect(await says(`- 0 1 0/2008 busy ${hash}`)).toMatch(/has not replayed it yet/);
  });
  test("the peer is on a timeline that this disk has never seen", async () => {
    expect(await says(`- 0 3 0/1000 whole ${hash}`)).toMatch(/this disk is older.*timeline 3/);
  });
  test("the peer's bytes are others", async () => {
    expect(await says(`- 0 1 0/2000 whole ${hash}`)).toMatch(/the two have diverged/);
  });
  test("the peer was promoted after this site", async () => {
    site.write("promoted", "3 1");
    expect(await says(held.replace("- 0", "- 3"))).toMatch(/promoted in epoch 3/);
  });
  test("the peer's answer is of an older version", async () => {
    expect(await says("-")).toMatch(/older version.*pulumi up/);
  });
  test("nobody can say where its own WAL ends", async () => {
    site.program("pg_waldump", "exit 1");
    expect(await says(held)).toMatch(/not known yet/);
  });
  test("a peer that lies behind on the timeline before, which this site left later, is no reason", async () => {
    site.control("shut down", 2);
    site.wal("000000020000000000000000", wal);
    site.wal("00000002.history", "1\t0/2000\tno recovery target\n");
    expect((await site.boot([ours, ours], `standby 4 a ${held}`)).facts["role"]).toBe("primary");
  });
});

describe("the guard's own signal", () => {
  const killedAt = async (name: string) => {
    process.env["FAIL_AT"] = name;
    await site.boot([], "");
    delete process.env["FAIL_AT"];
  };
  test.each(["boot-signal-placed", "boot-quarantined"])(
    "killed at %s, the site stays unable to write until everything speaks for it",
    async (name) => {
      await killedAt(name);
      expect(site.signalLies).toBe(true);
      expect((await site.boot([ours], "")).facts["role"]).toBe("standby");
      await site.end();
      expect((await site.rightCell()).facts["role"]).toBe("primary");
    },
  );

  test("without it, a hold is one that was being opened: the next boot takes it up again", async () => {
    site.write("held", "another-boot boot");
    site.control("shut down in recovery");
    expect((await site.boot([ours], "")).facts["role"]).toBe("standby");
    await site.end();
    expect((await site.rightCell()).facts["role"]).toBe("primary");
  });

  test("touched by somebody else, it is not the guard's any more", async () => {
    await killedAt("boot-signal-placed");
    utimesSync(join(site.data, "standby.signal"), 1, 1);
    expect((await site.rightCell()).facts["role"]).toBe("standby");
  });

  test("a verb that fences makes it its own", async () => {
    await killedAt("boot-signal-placed");
    await site.verb("postgres/revoke", { epoch: "4", from: "b", to: "a" });
    expect((await site.rightCell()).facts["role"]).toBe("standby");
  });

  test("nothing is kept of a hold that somebody else's signal forestalled", async () => {
    await killedAt("held-stored");
    writeFileSync(join(site.data, "standby.signal"), "");
    utimesSync(join(site.data, "standby.signal"), 1, 1);
    expect((await site.rightCell()).facts["role"]).toBe("standby");
  });
});
