import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ssh } from "../../sites/transports/ssh";
import type { SiteId } from "../../plan/terms";
import type { CellSite, DescribedSite, TourSite } from "../place";
import { runHere, type SiteRun } from "../site";
import { CLUSTER, postmasterOf, STATE } from "./debian";
import type { Host } from "./host";
import { must } from "./run";

const CLUSTER_NAME = [CLUSTER.version, "main"] as const;
const PROGRAMS = `/usr/lib/postgresql/${CLUSTER.version}/bin`;
const SSH_PORT = 22;

/** A host as a site of a tour, or of a cell. */
export class HostSite implements CellSite {
  constructor(
    readonly id: SiteId,
    private readonly machine: Host,
  ) {}

  get host(): string {
    return this.machine.address.v4;
  }

  get folders(): { readonly data: string; readonly state: string } {
    const { root } = this.machine.disk;
    return { data: join(root, CLUSTER.data), state: join(root, STATE) };
  }

  /** As stacks/example has it: root, the pinned key, Debian's folders. Only a dead host is given less time to answer. */
  describe(): DescribedSite {
    const { door, name } = this.machine;
    // The lab's sshd takes this variable, by which a test ends a verb at one of its checkpoints.
    const options = [`SendEnv=${CHECKPOINT}`];
    const hostKeys = [door.hostKey(name)];
    const way = ssh({ host: this.host, user: "root", hostKeys, options, connectSeconds: 2 });
    return {
      ...{ stateDirectory: STATE, enter: way.enter(this.id), enterLine: way.enterLine },
      database: {
        port: CLUSTER.port,
        dataDirectory: CLUSTER.data,
        configFile: `${CLUSTER.config}/postgresql.conf`,
      },
    };
  }

  query<Row extends Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.machine.query<Row>(sql, parameters);
  }

  run(command: readonly string[], input = ""): Promise<SiteRun> {
    return this.machine.run(command, input);
  }

  // First the way between the sites breaks, so that clients still get acknowledgements that the peer never hears of.
  async lose(peer: TourSite): Promise<void> {
    await this.machine.link.cutFrom(peer.host);
    await pause(1000);
    await this.machine.cut();
  }

  cut(): Promise<void> {
    return this.machine.link.cutPort(SSH_PORT);
  }

  isolate(): Promise<void> {
    return this.machine.cut();
  }

  mend(): Promise<void> {
    return this.machine.mend();
  }

  /** Nobody is told: no connection is closed by a host that has no power. */
  async powerOff(): Promise<void> {
    await this.machine.cut();
    await this.machine.powerOff();
  }

  async powerOn(): Promise<string> {
    await this.machine.powerOn();
    return this.guardLog();
  }

  /** Of this boot: from the journal, or from the file that the small init keeps. */
  async guardLog(): Promise<string> {
    const log =
      this.machine.make.name === "systemd"
        ? ["journalctl", "--boot", "--output=cat", "--unit=standby-*"]
        : ["cat", "/var/log/guard.log"];
    return (await this.machine.run(log)).stdout;
  }

  async killServer(): Promise<void> {
    await this.machine.must(["sh", "-c", KILL, "sh", CLUSTER.data]);
  }

  async startServer(): Promise<void> {
    await this.machine.must(["pg_ctlcluster", ...CLUSTER_NAME, "start"]);
  }

  async stopServer(): Promise<void> {
    await this.machine.must(["pg_ctlcluster", ...CLUSTER_NAME, "stop", "-m", "fast"]);
  }

  async isServerUp(): Promise<boolean> {
    return (await postmasterOf(this.machine)) > 0;
  }

  /** Read-only, as a file system becomes after an error: no mode of a file stops root. */
  async fillDisk(): Promise<void> {
    const bind = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"';
    await this.machine.must(["sh", "-c", bind, "sh", STATE]);
  }

  async emptyDisk(): Promise<void> {
    await this.machine.must(["umount", "--lazy", STATE]);
  }

  async runningServices(): Promise<number> {
    // The brackets keep this very command out of what it counts.
    const count = "grep -lsa '/etc/shop/[s]ettings.json' /proc/[0-9]*/cmdline | wc -l";
    return Number((await this.machine.run(["sh", "-c", count])).stdout.trim() || "0");
  }

  async inspect(program: string, args: readonly string[]): Promise<string> {
    const { root } = this.machine.disk;
    const enter = ["chroot", root, "env", `--chdir=${CLUSTER.data}`, "LC_ALL=C", "TZ=UTC"];
    return (await runHere([...enter, `${PROGRAMS}/${program}`, ...args])).stdout;
  }

  askDisk(sql: string): Promise<string> {
    const as = "setpriv --reuid=postgres --regid=postgres --init-groups --";
    const single = `${PROGRAMS}/postgres --single -D "$2" -c config_file="$3" -c dynamic_shared_memory_type=mmap postgres`;
    const line = `echo "$1" | ${as} ${single} 2>/dev/null`;
    const files = [CLUSTER.data, `${CLUSTER.config}/postgresql.conf`];
    return must(["chroot", this.machine.disk.root, "sh", "-c", line, "sh", sql, ...files]);
  }
}

/** Read by the verbs' library, in tests only. */
export const CHECKPOINT = "FAIL_AT";

// The postmaster first: it would start again what dies beside it.
const KILL = `
read -r postmaster <"$1/postmaster.pid" && kill -KILL "$postmaster"
for process in /proc/[0-9]*; do
  if [ "$process/cwd" -ef "$1" ]; then kill -KILL "\${process#/proc/}"; fi
done
while for process in /proc/[0-9]*; do [ "$process/cwd" -ef "$1" ] && break; done; do sleep 0.02; done
`;
