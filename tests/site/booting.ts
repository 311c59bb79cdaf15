import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { publicKeyOf, signWitness, type WitnessRecord } from "../../sites/witness";
import { digText, OWNER, txt } from "./dig";
import { FakeSite, newKey, type Ran } from "./harness";

const pem = newKey();
const key = publicKeyOf(pem);
const zone = "shop.test";
export const record = {
  ...({ v: 1, zone, name: OWNER, epoch: 4, from: "b", to: "a", kind: "switchover" } as const),
} as const;
export const sign = (change: Partial<Omit<WitnessRecord, "key">> = {}) =>
  signWitness(pem, { ...record, ...change });
/** The record that names this site. */
export const ours = sign();

/** The WAL of this site: one record that ends at 0/2000, and what a standby says that holds the same. */
export const wal = Buffer.alloc(0x3000);
wal.writeUInt32LE(0x100, 0x1f00);
export const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
export const held = `- 0 1 0/2000 whole ${hashOf(wal.subarray(0, 0x2000))}`;

/** Site a of epoch 4, which was the primary and whose host boots. */
export class BootingSite extends FakeSite {
  constructor() {
    super();
    writeFileSync(join(this.data, "PG_VERSION"), "15\n");
    writeFileSync(join(this.data, "postgresql.auto.conf"), "primary_conninfo = 'host=old'\n");
    this.write("record", "epoch=4 from=b to=a kind=switchover");
    this.control("in production");
    mkdirSync(join(this.data, "pg_wal"));
    this.wal("000000010000000000000000", wal);
    this.program(
      "pg_waldump",
      "echo 'rmgr: XLOG len (rec/tot): 30/ 256, tx: 0, lsn: 0/00001F00, prev 0'",
    );
    const note = `if [ -e '${this.data}/standby.signal' ]; then s=signal; else s=none; fi; echo "\${0##*/} $s" >>'${this.dir}/log'`;
    this.program(
      "dig",
      `${note}\nfor a; do case $a in @*) cat '${this.dir}/answer-'"\${a#@}" ;; esac; done`,
    );
    this.program(
      "psql",
      `${note}\nread -r line; nonce=\${line#*\\'}; nonce=\${nonce%%\\'*}
read -r says <'${this.dir}/peer' || exit 2
echo "$nonce $says"`,
    );
    // A process that works in the data folder stands in for the server.
    this.program(
      "pg_ctl",
      `${note}\ncd '${this.data}'\nsleep 30 </dev/null >/dev/null 2>&1 &
printf '%s\\n%s\\n\\n\\n\\n\\n\\nready\\n' "$!" '${this.data}' >postmaster.pid`,
    );
  }

  /** A file of the state folder. */
  write(name: string, text: string): void {
    writeFileSync(join(this.state, name), `${text}\n`);
  }

  wal(name: string, bytes: Buffer | string): void {
    writeFileSync(join(this.data, "pg_wal", name), bytes);
  }

  /** What the control file says. */
  control(state: string, timeline = 1): void {
    this.program(
      "pg_controldata",
      `echo 'Database cluster state:               ${state}'
echo "Latest checkpoint location:           0/1F00"
echo "Latest checkpoint's REDO location:    0/1000"
echo "Bytes per WAL segment:                16777216"
echo "WAL block size:                       8192"
echo "Latest checkpoint's TimeLineID:       ${timeline}"
echo "Min recovery ending loc's timeline:   0"`,
    );
  }

  /** The host boots: what each server answers (undefined is silence), and what the peer says. */
  boot(witness: readonly (string | undefined)[], peer: string): Promise<Ran> {
    const addresses = witness.map((answer, index) => {
      const address = `192.0.2.${index + 1}`;
      if (answer !== undefined) {
        const lines = answer === "" ? [] : [txt(answer)];
        writeFileSync(join(this.dir, `answer-${address}`), digText({ lines }));
      }
      return address;
    });
    writeFileSync(join(this.dir, "peer"), peer === "" ? "" : `${peer}\n`);
    const conf = this.input({
      ...{ zone, witness_name: OWNER, servers: addresses.join(" "), witness_bound: "0" },
      ...{ keys: `${key.id}=${key.raw}`, peer_host: "192.0.2.9", peer_port: "5432" },
    });
    return this.guard("boot", conf);
  }

  /** Everything speaks for it. */
  rightCell(): Promise<Ran> {
    return this.boot([ours, ours], `standby 4 a ${held}`);
  }

  get signalLies(): boolean {
    return existsSync(join(this.data, "standby.signal"));
  }

  /** The programs that were called, each with whether the signal lay there. */
  get log(): readonly string[] {
    return readFileSync(join(this.dir, "log"), "utf8").trim().split("\n");
  }
}
