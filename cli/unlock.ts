import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { EXIT } from "../plan/terms";
import type { Talk } from "./talk";

/** Whose lock: a stack in a file backend. */
export interface UnlockArgs {
  /** The backend's folder, or its `file://` URL. */
  readonly state: string;
  readonly project: string;
  readonly stack: string;
}

const holderSchema = z.object({
  pid: z.number().int().positive(),
  user: z.string().default("unknown"),
  host: z.string().min(1),
  time: z.string().default("unknown"),
});
type Holder = z.infer<typeof holderSchema>;

interface Lock {
  readonly file: string;
  /** Undefined when the file cannot be read as a lock. */
  readonly holder: Holder | undefined;
}

/**
 * Breaks the locks that a killed update of this host left behind, and no others: a lock of another host, or of a process
 * that is alive, is only named. Danger: two updates of one pair at once are what the lock is there to prevent.
 * @returns 0 when the stack is free, 75 while somebody holds it
 */
export function unlock(args: UnlockArgs, talk: Talk): number {
  const locks = folders(args).flatMap(locksIn);
  const kept = locks.filter((lock) => !breakable(lock));
  for (const lock of locks.filter(breakable)) {
    rmSync(lock.file, { force: true });
    talk.say(`lock of ${describe(lock)} is broken: that process is gone`);
  }
  if (locks.length === 0) talk.say(`stack ${args.stack} of ${args.project} is not locked`);
  for (const lock of kept) {
    talk.complain(`the stack is locked by ${describe(lock)}: ${why(lock)}`, hintFor(lock));
  }
  return kept.length === 0 ? EXIT.holds : EXIT.later;
}

// The CLI keeps its files below .pulumi, the lab engine right in the folder.
function folders({ state, project, stack }: UnlockArgs): readonly string[] {
  const root = state.startsWith("file:") ? pathOf(state) : state;
  if (!existsSync(root)) throw new Error(`${root}: no such folder`);
  return [join(root, ".pulumi"), root].map((base) =>
    join(base, "locks", "organization", project, stack),
  );
}

function pathOf(url: string): string {
  if (url.startsWith("file://~"))
    return join(process.env.HOME ?? "/", url.slice("file://~".length));
  return fileURLToPath(url.split("?")[0] ?? url);
}

function locksIn(folder: string): readonly Lock[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ file: join(folder, name), holder: holderOf(join(folder, name)) }));
}

function holderOf(file: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function breakable({ holder }: Lock): boolean {
  return holder !== undefined && holder.host === hostname() && !alive(holder.pid);
}

/** A zombie is dead; a process that may not be asked is alive. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) [ZX] /.test(readFileSync(stat, "utf8"));
}

function describe({ file, holder }: Lock): string {
  return holder === undefined
    ? file
    : `${holder.user}@${holder.host} (pid ${holder.pid}) since ${holder.time}`;
}

function why({ holder }: Lock): string {
  if (holder === undefined) return "its file is not a lock that can be read";
  if (holder.host !== hostname())
    return `its host is not this one (${hostname()}), so nobody here knows whether it runs`;
  return "that process is alive";
}

function hintFor({ holder, file }: Lock): string {
  if (holder === undefined)
    return `look at ${file}; if no update runs anywhere, pulumi cancel --yes.`;
  return holder.host === hostname()
    ? `wait for it; to end it, kill ${holder.pid} and run standby unlock again.`
    : `run standby unlock on ${holder.host}; if that host is lost for good and cannot come back, pulumi cancel --yes.`;
}
