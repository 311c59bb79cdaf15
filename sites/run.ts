import { spawn } from "node:child_process";
import type { Command } from "../plan/render/command";

/** How a command ended. `code` is null when it was ended by its deadline. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a rendered command as the resources do, with the same four variables. Never rejects; never outlives its deadline. */
export function runCommand(
  command: Command,
  variables: { run?: string; digest?: string; facts?: string; secret?: string } = {},
  seconds = 30,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command.create], {
      env: {
        ...process.env,
        RUN: variables.run ?? "",
        DIGEST: variables.digest ?? "",
        FACTS: variables.facts ?? "",
        SECRET: variables.secret ?? "",
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let over = false;
    const deadline = setTimeout(() => {
      over = true;
      child.kill("SIGKILL");
    }, seconds * 1000);
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    // A child that is gone before it has read everything is told by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(command.stdin);
    const finish = (code: number | null) => {
      clearTimeout(deadline);
      resolve({ code: over ? null : code, stdout, stderr });
    };
    child.on("error", (error) => {
      stderr += error.message;
      finish(255);
    });
    child.on("close", finish);
  });
}
