import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveAt } from "../../lab/ledger/names";
import { freePort } from "../../lab/postgres/ports";

/** One resolver of the fleet: what its configuration has beside what all have, and whom it asks. */
export interface ResolverWish {
  readonly kind: string;
  readonly lines: readonly string[];
  readonly zone: string;
  /** The zone's own name server, or a resolver in front of it. */
  readonly upstream: { readonly address: string; readonly port: number; readonly stub: boolean };
}

/** A running unbound on a port of loopback. */
export interface Resolver {
  readonly kind: string;
  readonly address: string;
  readonly port: number;
  readonly end: () => void;
}

/** The program, and where its libraries lie when it is not installed. */
export interface Unbound {
  readonly program: string;
  readonly libraries?: string;
}

const FETCH_MS = 120_000;

/**
 * Debian's unbound: the installed one, or its packages unpacked into a folder of their own. Danger: installing it would
 * enable a service, which opens port 53 at the next boot. Gives why there is none.
 */
export function findUnbound(): Unbound | { readonly why: string } {
  const installed = ["/usr/sbin/unbound", "/usr/local/sbin/unbound"].find((one) => existsSync(one));
  if (installed !== undefined) return { program: installed };
  const folder = join(tmpdir(), "standby-bench-unbound");
  const program = join(folder, "usr", "sbin", "unbound");
  if (!existsSync(program)) {
    const why = unpack(folder);
    if (why !== undefined) return { why };
  }
  const lib = join(folder, "usr", "lib");
  const libraries = readdirSync(lib).map((one) => join(lib, one));
  return { program, libraries: libraries.join(":") };
}

function unpack(folder: string): string | undefined {
  mkdirSync(folder, { recursive: true });
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd: folder, encoding: "utf8", timeout: FETCH_MS });
  const plan = run("apt-get", "install", "--simulate", "--no-install-recommends", "unbound");
  const names = [...(plan.stdout ?? "").matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? "");
  if (names.length === 0) return "unbound is not here, and apt-get knows no package of it";
  const got = run("apt-get", "download", ...names);
  if (got.status !== 0) return `apt-get download: ${got.stderr.trim().split("\n").at(-1) ?? ""}`;
  for (const file of readdirSync(folder).filter((one) => one.endsWith(".deb"))) {
    run("dpkg-deb", "--extract", file, folder);
    rmSync(join(folder, file));
  }
  return existsSync(join(folder, "usr", "sbin", "unbound"))
    ? undefined
    : "dpkg-deb unpacked no unbound";
}

/** Starts one and waits until it answers for `name`. */
export async function startResolver(
  { program, libraries }: Unbound,
  wish: ResolverWish,
  name: string,
): Promise<Resolver> {
  const address = "127.0.0.1";
  const port = await freePort([address]);
  const folder = mkdtempSync(join(tmpdir(), "standby-unbound-"));
  const file = join(folder, "unbound.conf");
  writeFileSync(file, configuration(wish, address, port, folder));
  const env =
    libraries === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraries };
  const child = spawn(program, ["-d", "-c", file], { stdio: ["ignore", "ignore", "pipe"], env });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said = (said + bytes.toString()).slice(-500)));
  const end = () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  const server = { address, port };
  for (let tries = 0; tries < 100 && alive(child); tries += 1) {
    const answered = await resolveAt(server, name, 500).then(
      () => true,
      () => false,
    );
    if (answered) return { kind: wish.kind, ...server, end };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  end();
  throw new Error(`unbound (${wish.kind}) does not answer: ${said}`);
}

const alive = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null;

function configuration(
  { lines, zone, upstream }: ResolverWish,
  address: string,
  port: number,
  folder: string,
): string {
  const { stub } = upstream;
  const server = [
    `interface: ${address}`,
    `port: ${port}`,
    `directory: "${folder}"`,
    ...['chroot: ""', 'username: ""', 'pidfile: ""', "use-syslog: no", "verbosity: 0"],
    // Loopback is where this fleet lives, and nothing of it is signed.
    ...["do-not-query-localhost: no", "do-ip6: no", 'module-config: "iterator"'],
    ...[
      `local-zone: "${zone}" nodefault`,
      `domain-insecure: "${zone}"`,
      'local-zone: "test." nodefault',
    ],
    ...lines,
  ];
  return [
    "server:",
    ...server.map((one) => `  ${one}`),
    "remote-control:",
    "  control-enable: no",
    stub ? "stub-zone:" : "forward-zone:",
    `  name: "${zone}"`,
    `  ${stub ? "stub-addr" : "forward-addr"}: ${upstream.address}@${upstream.port}`,
    "",
  ].join("\n");
}
