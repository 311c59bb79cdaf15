// PGDATA lies on a disk of its own, which is not there at a boot: PostgreSQL does not start on the empty folder below it.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { HostPair, UNIT } from "../../lab/hosts/pair";
import { watchWriters } from "../../lab/hosts/watched";
import { until } from "../../lab/postgres/processes";
import type { Sampler } from "../../lab/sampler";
import { siteObserved } from "../../plan/observed";
import { otherSite, SITE_IDS, type SiteId } from "../../plan/terms";
import { describeHosts } from "./describeHosts";

const ABOVE = "/var/lib/postgresql";
const DISK = "/srv/disk";
const DATA = `${DISK}/data`;
const MOUNT = "var-lib-postgresql.mount";
// A host that shall boot without its disk, as providers tell people to write it; and the same as a unit of one's own.
const FSTAB = `${DATA} ${ABOVE} none bind,nofail 0 0\n`;
const MOUNT_UNIT = `[Mount]\nWhat=${DATA}\nWhere=${ABOVE}\nType=none\nOptions=bind\n[Install]\nWantedBy=multi-user.target\n`;

describeHosts("a data disk that is missing at boot", () => {
  let pair: HostPair;
  let writers: Sampler;
  beforeAll(async () => {
    pair = await HostPair.open();
    for (const site of SITE_IDS) await moveToDisk(site);
    await pair.ready();
    writers = watchWriters(pair);
  });
  afterAll(async () => {
    await writers.stop();
    await pair.close();
  });

  const moveToDisk = async (site: SiteId) => {
    const host = pair.host(site);
    await host.must(["systemctl", "stop", UNIT]);
    await host.must(["sh", "-c", `mkdir ${DISK} && mv ${ABOVE} ${DATA} && mkdir ${ABOVE}`]);
    if (site === "a") await host.must(["sh", "-c", "cat >>/etc/fstab"], FSTAB);
    else {
      await host.writeFile(`/etc/systemd/system/${MOUNT}`, MOUNT_UNIT);
      await host.must(["systemctl", "--quiet", "enable", MOUNT]);
    }
    await host.must(["systemctl", "daemon-reload"]);
    await host.must(["systemctl", "start", UNIT]);
  };

  /** Boots with the disk taken away. A file stands in its place: systemd makes the folder that a bind mount lacks. */
  const bootWithout = async (site: SiteId) => {
    const host = pair.host(site);
    const path = join(host.disk.root, DISK);
    await host.powerOff();
    renameSync(path, `${path}.away`);
    writeFileSync(path, "");
    await host.powerOn();
  };
  const writable = async () => [await pair.writable("a"), await pair.writable("b")];

  describe.each(SITE_IDS)("site %s", (site) => {
    const other = otherSite(site);
    let was = 0;

    test("does not start PostgreSQL, and the other site goes on", async () => {
      was = await pair.postmaster(other);
      await bootWithout(site);
      await pause(5000);
      expect(await pair.postmaster(site)).toBe(0);
      expect(await pair.host(site).must(["ls", "-A", ABOVE])).toBe("");
      expect(await pair.postmaster(other)).toBe(was);
      expect(await pair.writable(other)).toBe(other === "a");
    });

    test("is not taken for an empty one, and the line that brings it back is printed", async () => {
      const { stdout } = await pair.verb(site, "postgres/observe");
      expect(siteObserved(stdout)).toMatchObject({
        reach: "unreadable",
        why: expect.stringContaining(ABOVE) as string,
        hint: expect.stringContaining(`systemctl start ${UNIT}`) as string,
      });
    });

    test("comes back by that line once the disk is there, with its role", async () => {
      await pair.host(site).must(["sh", "-c", `rm ${DISK} && mv ${DISK}.away ${DISK}`]);
      await pair.host(site).must(["systemctl", "start", UNIT]);
      await pair.ready();
      await until("both answer", 30_000, async () => !(await writable()).includes(undefined));
      expect(await writable()).toEqual([true, false]);
      expect(await pair.observe(site)).toMatchObject({ owner: "unit", units: "same" });
      expect(await pair.postmaster(other)).toBe(was);
    });

    test("comes back by itself at a boot with the disk", async () => {
      await bootWithout(site);
      const host = pair.host(site);
      await host.powerOff();
      const path = join(host.disk.root, DISK);
      rmSync(path);
      renameSync(`${path}.away`, path);
      await host.powerOn();
      await pair.ready();
      await until("both answer", 30_000, async () => !(await writable()).includes(undefined));
      expect(await writable()).toEqual([true, false]);
    });
  });

  test("nobody ever saw two writers", () => {
    expect(writers.samples).toBeGreaterThan(100);
    expect(writers.twoWriterSamples).toBe(0);
  });
});
