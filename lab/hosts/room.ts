import { existsSync } from "node:fs";

/** Addresses of README and stacks/example. The runner, the emulator and the name servers are the room itself. */
export const RUNNER = "203.0.113.5";
export const SECOND_NAME_SERVER = "203.0.113.6";
export const ADDRESSES = {
  a: { v4: "192.0.2.10", v6: "2001:db8:a::10" },
  b: { v4: "198.51.100.20", v6: "2001:db8:b::20" },
} as const;

/** Where this process runs, if lab/setup/room.js has put it into a room. */
export interface Room {
  /** Memory that goes with the room. */
  readonly folder: string;
  /** Control group of version 2 for the hosts. */
  readonly cgroup: string;
  /** Files that every host starts from. */
  readonly tree: string;
}

/** Why no host can be started here; undefined inside a room. */
export function roomProblem(): string | undefined {
  if (process.getuid?.() !== 0) return "hosts need root";
  const folder = process.env["STANDBY_ROOM"];
  return folder === undefined || !existsSync(folder)
    ? "not inside the lab's room, see lab/hosts/README.md"
    : undefined;
}

/** @throws Error outside a room, with the way in */
export function room(): Room {
  const problem = roomProblem();
  if (problem !== undefined) throw new Error(`${problem}\nHINT: npm run test:hosts -- TEST`);
  const of = (name: string): string => process.env[name] ?? "";
  return {
    folder: of("STANDBY_ROOM"),
    cgroup: of("STANDBY_ROOM_CGROUP"),
    tree: of("STANDBY_HOSTS_TREE"),
  };
}
