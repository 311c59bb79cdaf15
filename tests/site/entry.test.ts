// Which starts of PostgreSQL may be writable, and how long one of them may go on with nothing that keeps it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { guardProgram } from "../../sites/guardProgram";
import { runHere } from "../../lab/site";
import { FakeSite, scripts } from "./harness";

let site: FakeSite;
beforeEach(() => {
  site = new FakeSite();
  mkdirSync(join(site.data, "pg_wal"));
  writeFileSync(join(site.data, "PG_VERSION"), "15\n");
  const state = (file: string, text: string) => {
    writeFileSync(join(site.state, file), `${text}\n`);
  };
  state("record", "epoch=4 from=b to=a kind=switchover");
  state("promoted", "4 2");
  state("leased", "4");
  control("in production");
});
afterEach(() => site.remove());

function control(state: string): void {
  site.program(
    "pg_controldata",
    `echo 'Database cluster state: ${state}'; echo "Latest checkpoint's TimeLineID: 2"; echo "Min recovery ending loc's timeline: 0"`,
  );
}

/** Runs shell text with the guard's own functions; `ago N` is N hundredths of a second before now, by the host's clock. */
async function inside(text: string): Promise<string> {
  const functions = guardProgram(scripts).replace(/\nguard_main "\$@"\n$/, "\n");
  const head = `ago() { now; printf '%s' "$((now - $1))"; }
read_input <<'INPUT'
${site.input({ guard: "1000 6000 16000 either" })}INPUT
watch_settings
`;
  const env = { PATH: `${site.bin}:${process.env["PATH"] ?? ""}` };
  const ran = await runHere(["sh", "-s"], `${functions}${head}${text}`, env);
  if (ran.exitCode !== 0) throw new Error(ran.stderr);
  return ran.stdout.trim();
}

describe("a server that was down and takes writes now", () => {
  const judged = (heard: string, started = "") =>
    inside(`${heard}
${started}
recall_own
now
began=$now writable=yes was_writable=no supported=$now look_state=none look_epoch=0 look_from='' look_to='' look_kind=''
look_sent=0 peer_role='' peer_epoch=0 peer_to='' peer_sent=0
judge
echo "$verdict"`);
  const heardAt = (ago: number) => `keep heard "$boot for $(ago ${ago})"`;

  test("is kept as long as what was heard before it still holds", async () => {
    expect(await judged(heardAt(400))).toBe("keep");
  });

  test("gets no time for having been down", async () => {
    expect(await judged(heardAt(700))).not.toBe("keep");
  });

  test("and none without anything heard in this boot", async () => {
    expect(await judged('keep heard "another-boot for 1"')).not.toBe("keep");
  });

  test("is given its time where a verb has started it", async () => {
    expect(await judged(heardAt(700), 'keep started "$boot $(ago 100)"')).toBe("keep");
  });
});

describe("a start of the unit", () => {
  /** What `guard admit` leaves: writable, or the guard's own signal, or one that is nobody's to take away. */
  const admitted = (before: string) =>
    inside(`${before}
guard_admit 2>/dev/null
if is_held; then echo held; elif [ -e "$data/standby.signal" ]; then echo placed; else echo writable; fi
rm -f "/run/standby-$name.env"`);

  test.each([
    ["heard a moment ago", 'keep heard "$boot for $(ago 100)"', "writable"],
    ["heard too long ago", 'keep heard "$boot for $(ago 700)"', "held"],
    ["heard in another boot", 'keep heard "0 for $(ago 100)"', "held"],
    ["what was heard last speaks against it", 'keep heard "$boot against $(ago 100)"', "held"],
    ["nothing ever armed it", 'forget leased; keep heard "0 for 1"', "writable"],
    ["held since the boot", 'keep held "$boot boot"; keep heard "$boot for $(ago 100)"', "held"],
    ["a verb that lives asks for it", 'keep start "$boot $$ "', "writable"],
    ["a verb that is dead has asked for it", 'keep start "$boot 4194304 "', "held"],
    ["a verb of another boot has asked for it", 'keep start "0 $$ "', "held"],
    ["a token of this epoch", 'keep token "v1,7,2,0/1,0/2,a,0/1,b,4,1-test"', "held"],
  ] as const)(
    "%s",
    async (_, before, left) => {
      expect(await admitted(before)).toBe(left);
    },
    40_000,
  );

  test("a standby's data without its signal gets one that no guard takes away", async () => {
    control("in archive recovery");
    expect(await admitted("forget heard")).toBe("placed");
  });
});

describe("the early unit", () => {
  const booted = (before = ":") =>
    inside(`${before}
guard_hold 2>/dev/null
if is_held; then echo held; elif [ -e "$data/standby.signal" ]; then echo placed; else echo writable; fi`);

  test("holds a primary, whatever was heard before the boot", async () => {
    expect(await booted('keep heard "$boot for $(ago 1)"')).toBe("held");
  });

  test("takes up again what the guard was opening when the power went", async () => {
    control("shut down in recovery");
    expect(await booted('keep held "another-boot boot"')).toBe("held");
  });

  test("leaves a standby and its signal alone", async () => {
    expect(await booted("place_signal")).toBe("placed");
  });

  test("leaves a database alone that is no part of a pair yet", async () => {
    expect(await booted("forget record")).toBe("writable");
  });
});

const isRoot = process.getuid?.() === 0;
const onHost = isRoot ? test.each : test.skip.each;

describe("the unit that owns PostgreSQL", () => {
  /** On a host whose pid 1 is systemd, seen through a /run of its own; with Debian's template or without. */
  const unitOf = async (config: string, environment: Readonly<Record<string, string>>) => {
    const lib = scripts["lib"] ?? "";
    const text = `${lib}\nname=shop config=${config}\nname_unit\nprintf '%s %s\\n' "$unit" "$bond"\n`;
    const host = `mount -t tmpfs none /run && mkdir -p /run/systemd/system /lib/systemd/system && mount -t tmpfs none /lib/systemd/system && touch /lib/systemd/system/postgresql@.service && exec sh -s`;
    site.program("systemctl", "exit 0");
    const env = { PATH: `${site.bin}:${process.env["PATH"] ?? ""}`, ...environment };
    const own = ["unshare", "--mount", "--propagation", "private", "sh", "-c", host];
    const ran = await runHere(own, text, env);
    expect(ran.stderr).toBe("");
    return ran.stdout.trim();
  };
  const folder = "/etc/systemd/system";
  const debian = `postgresql@15-main.service ${folder}/postgresql@15-main.service.d/standby-shop.conf`;
  const ours = `standby-database@shop.service ${folder}/standby-database@shop.service`;

  onHost([
    ["Debian's, below /etc/postgresql", "/etc/postgresql/15/main/postgresql.conf", "", debian],
    ["ours, elsewhere", "/srv/pg/postgresql.conf", "", ours],
    ["ours, where no configuration is named", "", "", ours],
    ["ours, for a name that systemd splits", "/etc/postgresql/15/a-b/postgresql.conf", "", ours],
    ["nobody's, at a site that is no host", "/etc/postgresql/15/main/postgresql.conf", "none", ""],
  ] as const)(`%s${isRoot ? "" : " (skipped: not root)"}`, async (_, config, units, unit) => {
    expect(await unitOf(config, { STANDBY_UNITS: units })).toBe(unit);
  });
});
