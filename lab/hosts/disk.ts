import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "./run";

/** An older state of a disk, kept until the host is gone. */
export interface Snapshot {
  readonly folder: string;
}

/** A host's disk: a layer of its own over the tree that all hosts share. */
export class Disk {
  /** The whole file system of the host, as it is seen while the host is off. */
  readonly root: string;
  readonly #own: string;
  readonly #work: string;
  #snapshots = 0;
  #mounted = false;

  /** @param folder new folder of the host, in the room's memory */
  constructor(
    private readonly folder: string,
    private readonly tree: string,
  ) {
    this.root = join(folder, "root");
    this.#own = join(folder, "own");
    this.#work = join(folder, "work");
    for (const each of [this.root, this.#own, this.#work]) mkdirSync(each);
  }

  async mount(): Promise<void> {
    if (this.#mounted) return;
    const layers = `lowerdir=${this.tree},upperdir=${this.#own},workdir=${this.#work}`;
    await must(["mount", "-t", "overlay", "-o", layers, "overlay", this.root]);
    this.#mounted = true;
  }

  async unmount(): Promise<void> {
    if (this.#mounted) await must(["umount", this.root]);
    this.#mounted = false;
  }

  /** Nothing may write meanwhile: the host is off, or frozen. */
  async copy(): Promise<Snapshot> {
    this.#snapshots += 1;
    const folder = join(this.folder, `snapshot-${this.#snapshots}`);
    await must(["cp", "-a", this.#own, folder]);
    return { folder };
  }

  /** Puts a copy back, which stays good for more. The host is off. */
  async putBack({ folder }: Snapshot): Promise<void> {
    await this.unmount();
    const fresh = `${this.#own}.new`;
    await must(["cp", "-a", folder, fresh]);
    for (const each of [this.#own, this.#work]) rmSync(each, { recursive: true, force: true });
    renameSync(fresh, this.#own);
    mkdirSync(this.#work);
    await this.mount();
  }

  async remove(): Promise<void> {
    await this.unmount();
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }
}
