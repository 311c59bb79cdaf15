// The lab of hosts itself: each make boots, is entered, cut, loses power and gets an older disk, and leaves nothing behind.
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { startHosts, type Hosts } from "../../lab/hosts/hosts";
import { CLUSTER, SHOP } from "../../lab/hosts/debian";
import { ADDRESSES, room, RUNNER } from "../../lab/hosts/room";
import { runHere } from "../../lab/site";
import { describeHosts } from "./describeHosts";

const WAL = "select pg_current_wal_lsn()::text as lsn, pg_is_in_recovery() as standby";

for (const make of ["systemd", "init"] as const) {
  describeHosts(`a host of make ${make}`, () => {
    let hosts: Hosts;
    beforeAll(async () => {
      hosts = await startHosts({ make });
    });
    afterAll(async () => {
      await hosts.close();
    });

    test("pid 1 is what the make says", async () => {
      const comm = (await hosts.a.must(["cat", "/proc/1/comm"])).trim();
      expect(comm).toBe(make === "systemd" ? "systemd" : "lab-init");
    });

    test("root enters over ssh with the pinned key, and is on that host", async () => {
      expect(await hosts.b.ssh("hostname; id -un")).toMatchObject({
        exitCode: 0,
        stdout: "b\nroot\n",
      });
    });

    test("ssh-keyscan, as README has it, gives the pinned key", async () => {
      const scan = `ssh-keyscan -t ed25519 ${ADDRESSES.a.v4} 2>/dev/null | cut -d ' ' -f 2-`;
      const { stdout } = await runHere(["sh", "-c", scan]);
      expect(stdout.trim()).toBe(hosts.door.hostKey("a"));
    });

    test("the cluster is Debian's and runs under its unit", async () => {
      expect(await hosts.a.must(["pg_lsclusters", "-h"])).toContain(
        `15 main 5432 online postgres ${CLUSTER.data}`,
      );
      const [row] = await hosts.a.query(WAL);
      expect(row).toMatchObject({ standby: false });
    });

    test("pg_hba is strict: the shop needs its password, a superuser gets nothing over TCP", async () => {
      const login = async (user: string, password: string) => {
        const client = new Client({ host: ADDRESSES.a.v4, user, password, database: "postgres" });
        client.on("error", () => undefined);
        const answer = client.connect().then(
          () => "in",
          (error: unknown) => (error as { code?: string }).code,
        );
        const code = await answer;
        await client.end().catch(() => undefined);
        return code;
      };
      expect(await login(SHOP.user, SHOP.password)).toBe("in");
      expect(await login(SHOP.user, "wrong")).toBe("28P01");
      expect(await login("postgres", SHOP.password)).toBe("28000");
    });

    test("the application answers as a unit", async () => {
      await hosts.a.must(["systemctl", "start", "shop-web"]);
      const health =
        "curl -fsS --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/health";
      expect((await hosts.a.ssh(health)).stdout).toBe("site=a up\n");
    });

    test("a resolver at a host finds the zone's servers and their addresses", async () => {
      const find = "dig +short NS shop.example; dig +short A ada.ns.lab.invalid";
      expect((await hosts.b.ssh(find)).stdout.split("\n")).toContain(RUNNER);
    });

    test("a cut host is out of reach from the runner and from its peer, and is back when mended", async () => {
      const ask = (address: string) => `timeout 2 bash -c '</dev/tcp/${address}/22' 2>&1; echo $?`;
      await hosts.b.cut();
      expect((await hosts.b.ssh("true")).exitCode).toBe(255);
      expect((await hosts.a.ssh(ask(ADDRESSES.b.v4))).stdout).toBe("124\n");
      expect((await hosts.b.run(["sh", "-c", ask(RUNNER)])).stdout).toBe("124\n");
      await hosts.b.mend();
      expect((await hosts.b.ssh("true")).exitCode).toBe(0);
    });

    test("after a power loss everything is gone, and the next boot has what the disk holds", async () => {
      await hosts.a.query("create table kept(n int)");
      await hosts.a.query("insert into kept values (1)");
      await hosts.a.powerOff();
      expect(hosts.a.pid).toBeUndefined();
      expect(namespaced(hosts.a.disk.root)).toEqual([]);
      expect((await hosts.a.run(["true"])).exitCode).toBe(255);
      await hosts.a.powerOn();
      expect(await hosts.a.query("select n from kept")).toEqual([{ n: 1 }]);
      expect((await hosts.a.ssh("true")).exitCode).toBe(0);
    });

    test("a snapshot of a running host is one moment of its disk, and can be put back", async () => {
      await hosts.a.query("create table later(n int)");
      const snapshot = await hosts.a.snapshot();
      await hosts.a.query("insert into later values (1)");
      await hosts.a.rollBack(snapshot);
      await hosts.a.powerOn();
      expect(await hosts.a.query("select n from later")).toEqual([]);
    });

    test("a person's shutdown ends it cleanly", async () => {
      await hosts.a.shutDown();
      expect(hosts.a.pid).toBeUndefined();
      const state = await runHere([
        "chroot",
        hosts.a.disk.root,
        "/usr/lib/postgresql/15/bin/pg_controldata",
        CLUSTER.data,
      ]);
      expect(state.stdout).toMatch(/cluster state: +shut down\n/);
    });
  });

  describeHosts(`hosts of make ${make} that are closed`, () => {
    test("leave no process, mount, link, rule or control group", async () => {
      const before = await traces();
      const hosts = await startHosts({ make, a: "none" });
      await hosts.b.cut();
      await hosts.close();
      let after = await traces();
      // What has ended is reaped by others, a moment later.
      for (let tries = 0; tries < 50 && after.join() !== before.join(); tries += 1) {
        await pause(100);
        after = await traces();
      }
      expect(after).toEqual(before);
    });
  });
}

// What works below a host's root, by the mounts that its processes see.
function namespaced(root: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(`${root} / `);
      } catch {
        return false;
      }
    });
}

async function traces(): Promise<readonly string[]> {
  const { folder, cgroup } = room();
  const look = [
    "ps -eo args= | grep -v -e '^ps' -e '^sh -c' -e '^grep' -e jest -e defunct | sort",
    "cut -d ' ' -f 2 /proc/self/mounts | sort",
    "ip -o link | sed 's/@.*//'",
    "nft list ruleset",
    `find ${cgroup} -mindepth 1 -type d`,
    `ls ${folder}/hosts`,
  ];
  // One after the other: none of them may see another one's process.
  const seen: string[] = [];
  for (const line of look) seen.push((await runHere(["sh", "-c", line])).stdout);
  return seen;
}
