import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { LocalDatabase, markReady, readSettings } from "./settings";

/** The lab's web app: GET / says which site answers and what its database is; /work writes a row. */

const settings = readSettings(process.argv[2]);
const database = new LocalDatabase(settings.database, "web");

async function answer(request: IncomingMessage): Promise<{ status: number; text: string }> {
  const prefix = `site=${settings.site}`;
  if (existsSync(settings.maintenanceFile)) return { status: 503, text: `${prefix} maintenance` };
  try {
    switch (new URL(request.url ?? "/", "http://local").pathname) {
      case "/": {
        const rows = await database.query("select pg_is_in_recovery() as standby");
        return {
          status: 200,
          text: `${prefix} ${rows[0]?.["standby"] === true ? "standby" : "primary"}`,
        };
      }
      case "/work": {
        const rows = await database.query(
          "insert into jobs(site, kind) values ($1, 'web') returning n",
          [settings.site],
        );
        return { status: 200, text: `${prefix} n=${String(rows[0]?.["n"])}` };
      }
      case "/health":
        return { status: 200, text: `${prefix} up` };
      default:
        return { status: 404, text: `${prefix} unknown path` };
    }
  } catch (error) {
    return { status: 503, text: `${prefix} ${error instanceof Error ? error.message : "error"}` };
  }
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, text } = await answer(request);
  // An old connection ignores DNS: while the site does not serve, none is kept.
  if (status !== 200) response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${text}\n`);
}

const server = createServer((request, response) => {
  void respond(request, response);
});
server.listen(settings.webPort, settings.host, () => {
  markReady(process.argv[3]);
});
process.on("SIGTERM", () => {
  process.exit(0);
});
