import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { composeScripts, guardProgram } from "../../sites/guardProgram";
import { loadScripts } from "../../sites/scripts";
import { scriptText } from "../../plan/scripts";
import { killUnder } from "../../lab/processes";
import { runHere } from "../../lab/site";

/** What a script did. */
export interface Ran {
  readonly code: number;
  readonly facts: Readonly<Record<string, string>>;
  readonly stderr: string;
}

export const scripts = composeScripts(loadScripts());

export function newKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** A site without PostgreSQL: folders, and programs that only pretend, first on PATH. */
export class FakeSite {
  readonly dir = mkdtempSync(join(tmpdir(), "standby-fake-"));
  readonly data = this.#folder("data");
  readonly state = this.#folder("state");
  readonly bin = this.#folder("bin");

  /** The lines every verb gets; those of the test come on top. */
  input(more: Readonly<Record<string, string>> = {}): string {
    const lines = {
      ...{ name: "shop", site: "a", peer: "b", from: "b", to: "a", kind: "switchover" },
      ...{ epoch: "4", run: "1-test", state: this.state, data: this.data, bindir: this.bin },
      ...{ socket: this.dir, lock_wait: "1", step_bound: "4", ...more },
    };
    return Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join("");
  }

  program(name: string, text: string): void {
    const file = join(this.bin, name);
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
  }

  /** Runs a verb as the runner would. `lines` follow the common input as they are. */
  verb(name: string, more: Readonly<Record<string, string>> = {}, lines = ""): Promise<Ran> {
    const parts = [scriptText(scripts, "lib"), scriptText(scripts, name)];
    const call = `\nmain <<'STANDBY_INPUT'\n${this.input(more)}${lines}STANDBY_INPUT\n`;
    return this.#run(["sh", "-s"], parts.join("\n") + call);
  }

  /** Installs the guard by hand and runs it. */
  guard(command: string, conf: string): Promise<Ran> {
    const file = join(this.state, "guard");
    writeFileSync(file, guardProgram(scripts), { mode: 0o700 });
    writeFileSync(join(this.state, "guard.conf"), conf);
    return this.#run([file, command], "");
  }

  /** Ends all that works below the site's folder. */
  async end(): Promise<void> {
    await killUnder(this.dir);
  }

  async remove(): Promise<void> {
    await killUnder(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  #folder(name: string): string {
    const path = join(this.dir, name);
    mkdirSync(path);
    return path;
  }

  async #run(command: readonly string[], input: string): Promise<Ran> {
    const environment = { PATH: `${this.bin}:${process.env["PATH"] ?? ""}` };
    const bounded = ["timeout", "-k", "2", "20", ...command];
    const { exitCode, stdout, stderr } = await runHere(bounded, input, environment);
    const pairs = stdout.split("\n").filter((line) => line.includes("="));
    const facts = Object.fromEntries(
      pairs.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    return { code: exitCode, facts, stderr };
  }
}
