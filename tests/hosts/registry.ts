import { createServer, type Server } from "node:http";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../house/tree";

/** A package registry for `npm install`: this package as `npm pack` makes it, and what is installed here already. */

type Manifest = Readonly<Record<string, unknown>> & { readonly version: string };
type Places = Readonly<Record<string, string>>;

/** Starts it at an address; the packed files are kept below `folder`. */
export async function startRegistry(
  host: string,
  folder: string,
): Promise<{ readonly url: string; close(): void }> {
  mkdirSync(folder, { recursive: true });
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], {
    cwd: ROOT,
  });
  const found = places();
  let url = "";
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1);
    const [name = "", version] = path.split("/-/");
    const body =
      version === undefined
        ? JSON.stringify(packument(name, found.get(name) ?? {}, url))
        : readFileSync(packed(name, version, found.get(name)?.[version] ?? ROOT, folder));
    response.writeHead(found.has(name) ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `http://${host}:${address.port}/`;
  return {
    url,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Every package that is installed here: name -> version -> its folder. */
function places(): ReadonlyMap<string, Places> {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version?: string; name?: string }>;
  };
  const found = new Map<string, Places>();
  for (const [place, { version }] of Object.entries(lock.packages)) {
    const name = place === "" ? "pulumi-standby" : (place.split("node_modules/").at(-1) ?? "");
    if (version === undefined || !existsSync(join(ROOT, place, "package.json"))) continue;
    found.set(name, { ...found.get(name), [version]: join(ROOT, place) });
  }
  return found;
}

function packument(name: string, versions: Places, url: string): unknown {
  const all = Object.entries(versions).map(([version, place]) => {
    const manifest = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as Manifest;
    // What is not here cannot be offered; nothing of it is needed to run.
    const {
      devDependencies: _dev,
      optionalDependencies: _optional,
      scripts: _own,
      ...rest
    } = manifest;
    const dist = { tarball: `${url}${encodeURIComponent(name)}/-/${version}` };
    return [version, { ...rest, name, dist }] as const;
  });
  return { name, "dist-tags": { latest: all.at(-1)?.[0] }, versions: Object.fromEntries(all) };
}

function packed(name: string, version: string, place: string, folder: string): string {
  const file = join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  if (!existsSync(file)) {
    const args = ["-czf", file, "--exclude=./node_modules", "--transform=s,^\\.,package,"];
    execFileSync("tar", [...args, "-C", place, "."]);
  }
  return file;
}
