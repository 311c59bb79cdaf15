import { setTimeout as pause } from "node:timers/promises";
import { SITE_IDS, type SiteId } from "../../plan/terms";
import { Sampler } from "../sampler";
import type { Host } from "./host";
import type { HostPair } from "./pair";

/** Asks both servers of a pair over their sockets, cut or not, whether they take writes. @param everyMs pause between two rounds */
export function watchWriters(pair: HostPair, everyMs = 10): Sampler {
  const server = (site: SiteId) => ({
    site,
    port: 5432,
    user: "root",
    get host() {
      return pair.host(site).socketFolder;
    },
  });
  return Sampler.start(SITE_IDS.map(server), everyMs);
}

/** Asks one server without pause, over its socket, and notes the times at which it did not answer. */
export class Outage {
  #from = 0;
  #longest = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  private constructor(private readonly host: Host) {
    this.#done = this.#run();
  }

  static watch(host: Host): Outage {
    return new Outage(host);
  }

  /** Ends the watch. Gives the longest time from a first question that failed to the next that did not, in milliseconds. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#done;
    return Math.round(this.#longest);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const asked = performance.now();
      const answered = await this.host.query("select 1").then(
        () => true,
        () => false,
      );
      if (!answered && this.#from === 0) this.#from = asked;
      if (answered && this.#from !== 0) {
        this.#longest = Math.max(this.#longest, performance.now() - this.#from);
        this.#from = 0;
      }
      await pause(10);
    }
  }
}
