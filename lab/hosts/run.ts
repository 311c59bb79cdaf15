import { runHere, type SiteRun } from "../site";

/** Runs a program of this machine that must succeed, and gives what it said. */
export async function must(command: readonly string[], input = ""): Promise<string> {
  const ran = await runHere(command, input);
  if (ran.exitCode !== 0) throw new Error(told(command, ran));
  return ran.stdout;
}

/** One text of a command, its exit code and its complaint. */
export function told(command: readonly string[], { exitCode, stdout, stderr }: SiteRun): string {
  return `${command.join(" ").trim().slice(0, 200)}: exit ${exitCode}\n${stderr}${stdout}`.trim();
}

/** Environment of root's console on a host. */
export const CONSOLE = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LANG=C.UTF-8",
];
