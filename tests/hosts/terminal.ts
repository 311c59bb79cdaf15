import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** What one typed line did. */
export interface Typed {
  readonly line: string;
  readonly code: number;
  readonly said: string;
}

/** A person's shell: what is exported by one line counts for the next. */
export class Terminal {
  readonly #shell: ChildProcess;
  readonly #heard: string[] = [];
  #waiting: ((code: number) => void) | undefined;

  constructor(folder: string, env: Readonly<Record<string, string>>) {
    this.#shell = spawn("bash", ["--norc"], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "ignore"],
    });
    const lines = createInterface({ input: this.#shell.stdout ?? process.stdin });
    lines.on("line", (text) => {
      const ended = /^(.*)END-OF-LINE ([0-9]+)$/.exec(text);
      if (ended?.[1] !== "") this.#heard.push(ended?.[1] ?? text);
      if (ended !== null) this.#waiting?.(Number(ended[2]));
    });
  }

  /** Types one line and waits until it is done. */
  async type(line: string): Promise<Typed> {
    this.#heard.length = 0;
    const code = await new Promise<number>((resolve) => {
      this.#waiting = resolve;
      // Nothing that it starts reads what is typed next.
      this.#shell.stdin?.write(`{ ${line}\n} </dev/null 2>&1; echo "END-OF-LINE $?"\n`);
    });
    return { line, code, said: this.#heard.join("\n") };
  }

  /** Types the lines that must hold. */
  async holds(lines: readonly string[]): Promise<readonly Typed[]> {
    const done: Typed[] = [];
    for (const line of lines) {
      const typed = await this.type(line);
      done.push(typed);
      if (typed.code !== 0) throw new Error(`$ ${line}\nexit ${typed.code}\n${typed.said}`);
    }
    return done;
  }

  close(): void {
    this.#shell.kill("SIGKILL");
  }
}
