import { writeFileSync } from "node:fs";
import { must } from "./run";
import { RUNNER } from "./room";

/** A host's addresses; the runner is its gateway. */
export interface Address {
  readonly v4: string;
  readonly v6?: string | undefined;
}

/** A host's own network and its one link to the room, which can be cut. */
export class Link {
  readonly #device: string;
  /** File that holds the host's network namespace. */
  readonly namespace: string;

  private constructor(
    readonly name: string,
    readonly address: Address,
    folder: string,
  ) {
    this.#device = Link.device(name);
    this.namespace = `${folder}/network`;
  }

  /** The room's end of the link to a host. */
  static device(name: string): string {
    return `to-${name}`;
  }

  static async open(name: string, address: Address, folder: string): Promise<Link> {
    const link = new Link(name, address, folder);
    writeFileSync(link.namespace, "");
    // A process that was killed leaves its cuts in the room.
    await link.mend();
    await must(["sh", "-c", UP, "sh", link.namespace, link.#device, address.v4, RUNNER]);
    if (address.v6 !== undefined) await link.#openV6(address.v6);
    return link;
  }

  // A machine may have no IPv6; nothing of the lab's own needs it.
  async #openV6(address: string): Promise<void> {
    const gateway = "fe80::5";
    await must(["sh", "-c", UP6, "sh", this.namespace, this.#device, address, gateway]).catch(
      () => undefined,
    );
  }

  /** Nothing gets in or out any more; nobody is told, as when a cable is pulled. */
  async cut(): Promise<void> {
    await this.mend();
    await must(["nft", "-f", "-"], this.#rules("", ""));
  }

  /** Cut from one address only: the peer, or the runner. */
  async cutFrom(...addresses: readonly string[]): Promise<void> {
    await this.mend();
    const set = `{ ${addresses.join(", ")} }`;
    await must(["nft", "-f", "-"], this.#rules(`ip saddr ${set}`, `ip daddr ${set}`));
  }

  /** One service of the host is out of reach, whoever asks; what runs there goes on. */
  async cutPort(port: number): Promise<void> {
    await this.mend();
    await must(["nft", "-f", "-"], this.#rules(`tcp dport ${port}`, `tcp sport ${port}`));
  }

  mend(): Promise<void> {
    return mendTable(this.#table);
  }

  async close(): Promise<void> {
    await this.mend();
    await must(["sh", "-c", 'ip link del "$1"; umount "$2"', "sh", this.#device, this.namespace]);
  }

  get #table(): string {
    return `cut_${this.name}`;
  }

  // At the room's end of the link: the host's own rules are its own. `to` and `from` are seen from the host.
  #rules(from: string, to: string): string {
    const chain = (hook: string, ...rules: string[]) =>
      `chain ${hook} { type filter hook ${hook} priority 0; ${rules.map((rule) => `${rule} drop;`).join(" ")} }`;
    const out = `iifname "${this.#device}" ${to}`;
    const back = `oifname "${this.#device}" ${from}`;
    return `table inet ${this.#table} {
  ${chain("input", out)}
  ${chain("output", back)}
  ${chain("forward", out, back)}
}\n`;
  }
}

/** The way between two hosts: cut alone, it leaves both in everybody else's reach. */
export class Way {
  constructor(
    private readonly one: Address,
    private readonly other: Address,
  ) {}

  /** Packets are dropped, and nobody is told. */
  async cut(): Promise<void> {
    await this.mend();
    const [one, other] = [this.one.v4, this.other.v4];
    const drop = (from: string, to: string) => `ip saddr ${from} ip daddr ${to} drop;`;
    await must(
      ["nft", "-f", "-"],
      `table inet ${WAY} {
  chain forward { type filter hook forward priority 0; ${drop(one, other)} ${drop(other, one)} }
}\n`,
    );
  }

  mend(): Promise<void> {
    return mendTable(WAY);
  }
}

const WAY = "cut_way";

async function mendTable(name: string): Promise<void> {
  await must(["nft", "-f", "-"], `table inet ${name}\ndelete table inet ${name}\n`);
}

const UP = `
set -e
unshare --net="$1" true
ip link add "$2" type veth peer name host0 netns "$1"
ip link set "$2" up
nsenter --net="$1" sh -ec '
  ip link set lo up
  ip addr add "$1/32" dev host0
  ip link set host0 up
  ip route add "$2" dev host0
  ip route add default via "$2"' sh "$3" "$4"
ip route add "$3" dev "$2" src "$4"
`;
const UP6 = `
set -e
ip -6 addr add "$4/64" dev "$2" nodad
nsenter --net="$1" sh -ec '
  ip -6 addr add "$1/128" dev host0 nodad
  ip -6 route add default via "$2" dev host0' sh "$3" "$4"
ip -6 route add "$3" dev "$2"
`;
