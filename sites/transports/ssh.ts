import { z } from "zod";
import { issuesOf } from "../../plan/desired";
import { misfit, quote, type Transport } from "./transport";

/** Arguments of {@link ssh}. */
export interface SshArgs {
  /** Name or address of the host. An address needs no DNS on the day it matters. */
  host: string;
  /** Account to log in as: root, or the owner of the data directory. */
  user: string;
  /** @default 22 */
  port?: number;
  /** The host's public keys, as in known_hosts without the name: `ssh-ed25519 AAAA...`. Anything else is refused. */
  hostKeys: readonly string[];
  /** Private key file on the machine that runs pulumi. @default the agent's keys */
  identityFile?: string;
  /** Seconds until an unanswered connection counts as not reached. @default 5 */
  connectSeconds?: number;
  /** More `-o` options, such as `ProxyJump=bastion`. @default none */
  options?: readonly string[];
}

const word = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, "must be made of letters, digits, '.', '_', ':' and '-'");
const schema = z.strictObject({
  host: word,
  user: word,
  port: z.number().int().min(1).max(65_535).default(22),
  hostKeys: z
    .array(
      z
        .string()
        .regex(
          /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/,
          "must read TYPE KEY, as in ssh-ed25519 AAAA...",
        ),
    )
    .min(1, "at least one; get them by ssh-keyscan over a network you trust"),
  identityFile: z.string().min(1).optional(),
  connectSeconds: z.number().int().positive().max(60).default(5),
  options: z.array(z.string().regex(/^[A-Za-z]+=[^\p{Cc}]*$/u, "must read Name=value")).default([]),
});

/**
 * A site behind ssh. Connection, silence and keys are bounded and pinned here; one master connection a site is shared by
 * all steps of an update. Never throws: an argument that does not fit becomes an issue of the pair.
 */
export function ssh(args: SshArgs): Transport {
  const parsed = schema.safeParse(args);
  if (!parsed.success) return misfit("ssh", issuesOf(parsed.error, args));
  const { host, user, port, hostKeys, identityFile, connectSeconds, options } = parsed.data;
  const flags = (site: string) =>
    [
      "-F none",
      "-o BatchMode=yes",
      `-o ConnectTimeout=${connectSeconds}`,
      "-o ServerAliveInterval=5 -o ServerAliveCountMax=3",
      `-o StrictHostKeyChecking=yes -o HostKeyAlias=standby-${site} -o UpdateHostKeys=no`,
      `-o UserKnownHostsFile="$work/known-${site}" -o GlobalKnownHostsFile=/dev/null`,
      '-o ControlMaster=auto -o ControlPersist=60 -o ControlPath="$masters/%C"',
      identityFile === undefined ? "" : `-o IdentitiesOnly=yes -i ${quote(identityFile)}`,
      ...options.map((option) => `-o ${quote(option)}`),
      port === 22 ? "" : `-p ${port}`,
    ]
      .filter((flag) => flag !== "")
      .join(" \\\n    ");
  return {
    kind: "ssh",
    enterLine: `ssh ${port === 22 ? "" : `-p ${port} `}${user}@${host}`,
    enter: (site) =>
      [
        // A short folder of our own: socket paths are limited to about 100 bytes, and /tmp is everybody's.
        'masters="${XDG_RUNTIME_DIR:-/tmp}/standby-$uid"',
        'test -d "$masters" || mkdir -p -m 700 "$masters" || return 255',
        'test -O "$masters" && test ! -L "$masters" || return 255',
        `printf '%s\\n' ${hostKeys.map((key) => quote(`standby-${site} ${key}`)).join(" ")} >"$work/known-${site}"`,
        `ssh ${flags(site)} \\\n    ${quote(`${user}@${host}`)} "$1"`,
      ].join("\n"),
  };
}
