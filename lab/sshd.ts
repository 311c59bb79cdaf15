/**
 * A real sshd in front of a lab site, so that the ssh transport is used as on a real pair. It lets one key in, and whatever
 * is asked for is run by the site's own entrance. It listens on the site's loopback address and dies with the lab.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { signalProcess, until } from "./postgres/processes";
import { freePort } from "./postgres/ports";
import { childrenOf } from "./processes";

const PROGRAM = "/usr/sbin/sshd";
// Compiled into Debian's sshd, and made by its service, which never runs here.
const SEPARATION = "/run/sshd";

/** Whether this machine has an sshd to run. */
export const hasSshd = existsSync(PROGRAM);

/** What {@link ssh} of the package needs to get in. */
export interface SshAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly string[];
  readonly identityFile: string;
}

/** A running server. */
export interface SshServer {
  readonly access: SshAccess;
  /** Ends the server and every session of it. */
  stop(): void;
}

/**
 * Starts it for `wrap`, the executable that runs its arguments at the site; `folder` is new and private to it. `shell` is the
 * login shell: it is started as sshd does it, so it reads its start-up files in the site's home.
 */
export async function startSshd(
  folder: string,
  host: string,
  wrap: string,
  shell = "sh",
): Promise<SshServer> {
  mkdirSync(folder, { mode: 0o700 });
  const [hostKey, userKey] = [join(folder, "host"), join(folder, "user")];
  await Promise.all([hostKey, userKey].map(makeKey));
  const { uid, username } = userInfo();
  if (uid === 0) mkdirSync(SEPARATION, { recursive: true, mode: 0o755 });
  const port = await freePort([host]);
  const config = join(folder, "config");
  writeFileSync(config, configText({ folder, host, port, hostKey, userKey, wrap, shell }));
  const program = ["--pdeathsig", "KILL", "--", PROGRAM, "-D", "-f", config];
  const log = join(folder, "log");
  const child = spawn("setpriv", [...program, "-E", log], { stdio: "ignore" });
  await until("sshd listens", 5000, () => listens(host, port));
  return {
    access: { host, port, user: username, hostKeys: [publicKey(hostKey)], identityFile: userKey },
    stop: () => {
      const { pid } = child;
      if (pid === undefined) return;
      // Each connection is a process that the server has forked.
      for (const each of [pid, ...childrenOf(pid)]) signalProcess(each, "SIGKILL");
    },
  };
}

interface Places {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
  readonly userKey: string;
  readonly wrap: string;
  readonly shell: string;
}

function configText({ host, port, hostKey, userKey, wrap, shell }: Places): string {
  return [
    `ListenAddress ${host}`,
    `Port ${port}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${userKey}.pub`,
    "PidFile none",
    "UsePAM no",
    "PasswordAuthentication no",
    "PermitRootLogin prohibit-password",
    // The keys lie below the temporary folder, which everybody may write to.
    "StrictModes no",
    "MaxStartups 100",
    "MaxSessions 100",
    // Only a first shell reads what the user of this machine has in ~/.bashrc: it is no part of a site.
    "SetEnv SHLVL=1",
    `ForceCommand '${wrap}' ${shell === "sh" ? "sh" : `env SHLVL=0 ${shell}`} -c "$SSH_ORIGINAL_COMMAND"`,
    "",
  ].join("\n");
}

async function makeKey(file: string): Promise<void> {
  await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
}

function publicKey(file: string): string {
  return readFileSync(`${file}.pub`, "utf8").trim();
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", end(true)).on("error", end(false));
  });
}
