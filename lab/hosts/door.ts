import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../postgres/processes";
import type { Host } from "./host";
import { must } from "./run";

/** The runner's key in an agent of its own, and what it knows of the hosts' keys. */
export class Door {
  readonly #hostKeys = new Map<string, string>();

  private constructor(
    private readonly folder: string,
    private readonly agent: ChildProcess,
    private readonly before: string | undefined,
  ) {}

  /** From now on this process and what it starts use the agent, as a person's runner would. */
  static async open(folder: string): Promise<Door> {
    mkdirSync(folder, { mode: 0o700 });
    await makeKey(join(folder, "runner"));
    const socket = join(folder, "agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { cwd: "/", stdio: "ignore" });
    const door = new Door(folder, agent, process.env["SSH_AUTH_SOCK"]);
    process.env["SSH_AUTH_SOCK"] = socket;
    await until("ssh-agent has the key", 5000, () =>
      must(["ssh-add", "-q", join(folder, "runner")]).then(
        () => true,
        () => false,
      ),
    );
    return door;
  }

  /** A host key of its own for a new host, and leave for the runner. The host is off. */
  async install(name: string, root: string): Promise<void> {
    const folder = join(root, "etc/ssh");
    for (const file of readdirSync(folder)) {
      if (file.startsWith("ssh_host_")) rmSync(join(folder, file));
    }
    await makeKey(join(folder, "ssh_host_ed25519_key"));
    this.#hostKeys.set(name, publicKey(join(folder, "ssh_host_ed25519_key")));
    const keys = join(root, "root/.ssh");
    mkdirSync(keys, { mode: 0o700, recursive: true });
    writeFileSync(join(keys, "authorized_keys"), `${publicKey(join(this.folder, "runner"))}\n`, {
      mode: 0o600,
    });
  }

  /** The host's public key, as `ssh-keyscan | cut` would give it. */
  hostKey(name: string): string {
    return this.#hostKeys.get(name) ?? "";
  }

  /** Options of ssh for one host: its pinned key, nobody asked, bounded. */
  options(host: Host): readonly string[] {
    const known = join(this.folder, `known-${host.name}`);
    writeFileSync(known, `${host.address.v4} ${this.hostKey(host.name)}\n`);
    return [
      ...["-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"],
      ...["-o", `UserKnownHostsFile=${known}`, "-o", "GlobalKnownHostsFile=/dev/null"],
      ...["-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"],
      ...["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"],
    ];
  }

  close(): void {
    this.agent.kill("SIGKILL");
    if (this.before === undefined) delete process.env["SSH_AUTH_SOCK"];
    else process.env["SSH_AUTH_SOCK"] = this.before;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function makeKey(file: string): Promise<void> {
  await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
}

function publicKey(file: string): string {
  return readFileSync(`${file}.pub`, "utf8").trim();
}
