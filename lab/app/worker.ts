import { setTimeout as pause } from "node:timers/promises";
import { LocalDatabase, markReady, readSettings } from "./settings";

/** The lab's job worker: one row each 50 ms, through every error, until it is told to end. */

const settings = readSettings(process.argv[2]);
const database = new LocalDatabase(settings.database, "worker");

process.on("SIGTERM", () => {
  process.exit(0);
});

async function work(): Promise<never> {
  for (;;) {
    // A standby refuses and a stopped server is away: both are tried again, for ever.
    await database
      .query("insert into jobs(site, kind) values ($1, 'worker')", [settings.site])
      .catch(() => undefined);
    await pause(50);
  }
}
markReady(process.argv[3]);
void work();
