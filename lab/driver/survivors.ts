import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../../plan/render/command";
import { signalProcess, until } from "../postgres/processes";
import { temporaryFolder } from "../postgres/programs";

/**
 * One step's command in a session of its own. Killing it ends the runner's shell alone, as a SIGKILL of Pulumi does: what
 * the shell had started goes on to its own bound. {@link end} ends that too.
 */
export class Session {
  readonly #folder = temporaryFolder("sd-");

  /** The same command, started in the new session; `environment` is seen by the verbs at the sites. */
  wrap(command: Command, environment: Readonly<Record<string, string>> = {}): Command {
    const file = join(this.#folder, "run");
    const exports = Object.entries(environment).map(([key, value]) => `export ${key}='${value}'\n`);
    writeFileSync(file, `echo $$ >'${this.#pidFile}'\n${exports.join("")}${command.create}\n`);
    return { create: `exec setsid sh '${file}'`, stdin: command.stdin };
  }

  /** SIGKILL to the runner's shell, once it runs; what it started survives. */
  async killRunner(): Promise<void> {
    await until("the runner's shell runs", 2000, () => this.#leader() !== undefined);
    const leader = this.#leader();
    if (leader !== undefined) signalProcess(leader, "SIGKILL");
  }

  /** Ends whatever is left, and waits for it. */
  async end(): Promise<void> {
    const leader = this.#leader();
    if (leader !== undefined) {
      await until("the session has ended", 5000, () => {
        const members = sessionMembers(leader);
        for (const pid of members) signalProcess(pid, "SIGKILL");
        return members.length === 0;
      });
    }
    this.discard();
  }

  /** Forgets a session whose command has ended. */
  discard(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #pidFile(): string {
    return join(this.#folder, "pid");
  }

  #leader(): number | undefined {
    try {
      const pid = Number(readFileSync(this.#pidFile, "utf8"));
      return pid > 0 ? pid : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Live processes of a session. A server or service that was started left it by itself. */
function sessionMembers(leader: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return fields[3] === String(leader) && fields[0] !== "Z" && fields[0] !== "X";
      } catch {
        return false;
      }
    });
}
