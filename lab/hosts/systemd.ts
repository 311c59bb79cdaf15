import type { Make } from "./make";

/** Debian as it is: systemd is pid 1, with units, sessions, journal and its own order of a boot. */
export const systemd: Make = {
  name: "systemd",
  install: () => undefined,
  command: ({ name, disk, network, borrowed }) => [
    ...["env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "systemd-nspawn", "--quiet", "--boot"],
    ...["--register=no", "--keep-unit", `--machine=${name}`, `--directory=${disk.root}`],
    ...[`--network-namespace-path=${network}`, "--capability=CAP_NET_ADMIN"],
    ...["--console=pipe", "--kill-signal=SIGRTMIN+3", "--resolv-conf=off", "--timezone=off"],
    "--link-journal=no",
    ...Object.entries(borrowed).map(([there, here]) => `--bind-ro=${here}:${there}`),
  ],
  // Degraded counts as up: a unit of the test's own may have failed, and the test says what it expects.
  isUp: [
    "sh",
    "-c",
    'case $(systemctl is-system-running) in running | degraded) test -z "$(systemctl list-jobs --no-legend)" ;; *) false ;; esac',
  ],
};
