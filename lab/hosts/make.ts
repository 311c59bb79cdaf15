import type { Disk } from "./disk";

/** What a make of hosts must be told to start one. */
export interface Machine {
  readonly name: string;
  readonly disk: Disk;
  /** File of the network namespace. */
  readonly network: string;
  /** Folders and files of this machine that the host sees, read-only: path there -> path here. */
  readonly borrowed: Readonly<Record<string, string>>;
}

/** One way to run a host: what is pid 1 in it. */
export interface Make {
  readonly name: "systemd" | "init";
  /** Prepares the disk of a new host. */
  install(root: string): void;
  /** The program that runs the host until it goes off; its only child is the host's pid 1. */
  command(machine: Machine): readonly string[];
  /** A command inside the host that ends with 0 once it is up. */
  readonly isUp: readonly string[];
}
