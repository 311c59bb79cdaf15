/** A runbook, run file by file as a person would. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Tour } from "../../lab/tour";

/** How one file of a runbook ended. */
export interface Ended {
  readonly name: string;
  readonly code: number | null;
  readonly text: string;
}

function inShell(file: string, env: NodeJS.ProcessEnv): Promise<Pick<Ended, "code" | "text">> {
  return new Promise((resolve) => {
    const child = spawn("sh", [file], { env, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => (text += data.toString()));
    }
    child.on("close", (code) => resolve({ code, text }));
  });
}

/** In the order of their numbers, up to the first that does not end with 0. */
export async function runFiles(tour: Tour, folder: string): Promise<readonly Ended[]> {
  const env = {
    ...process.env,
    CLOUDFLARE_API_TOKEN: tour.lab.cloudflare.token,
    CLOUDFLARE_BASE_URL: tour.lab.cloudflare.apiUrl,
  };
  const ended: Ended[] = [];
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".sh"))) {
    // Not spawnSync: the lab's name server and API answer from this process.
    ended.push({ name, ...(await inShell(join(folder, name), env)) });
    if (ended.at(-1)?.code !== 0) break;
  }
  return ended;
}
